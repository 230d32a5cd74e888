"""The params.yaml of a new use case: its use-case card, and settings that follow from the data.

All other settings are copied from the checkout. Lengths in tokens are estimated, because there may be no model yet. The
estimate assumes at least 1.5 bytes of UTF-8 for each token. This is true of prose in every script that the sample model
supports.
"""

import math
from typing import Any, NamedTuple

from tasks.core.params.training import SETTINGS_THAT_NEED_VALIDATION
from tasks.scaffold.answers import Answers
from tasks.scaffold.commented_yaml import Comments
from tasks.scaffold.sample_statistics import SampleStatistics
from tasks.scaffold.suites import round_up

BYTES_PER_TOKEN = 1.5
TEMPLATE_TOKENS = 64
"""Estimated number of tokens in the chat template and a short system prompt."""
TEST_RECORDS = 150
"""Target number of test records. Even an unlucky split has about a hundred, enough for a useful confidence interval."""
MAX_TEST_SHARE = 0.35
MAX_FIXED_TEST_RECORDS = 1_000
"""Maximum number of test records in a first run if a separate file is the test set."""
TRAIN_RECORDS = 900
"""Maximum number of training records in a first run. Training on them takes a few minutes on two cores."""
MIN_VALIDATION_RECORDS = 10
"""Minimum expected number of validation records. With 10, only one split in 20,000 has no such record by chance."""
MAX_VALIDATION_SHARE = 0.2
"""Maximum fraction of the training records that is used for validation. If MIN_VALIDATION_RECORDS requires more, there
is no validation."""
UNKNOWN_TEXT = "not said yet"
SYSTEM_PROMPTS = {"json": "Answer as JSON.", "label": "Answer with one label.", "text": "Answer in a few words."}
TEXT_WINDOW = 512
"""Maximum number of tokens in a window of plain text in a first run."""
CONTEXT_TOKENS = 8192
"""Context length of the sample model, in tokens."""


def target_form(sample: SampleStatistics) -> str:
    """Return the form of the answers: json, label or text; none if the records are plain texts."""
    if sample.has_plain_texts:
        return "none"
    return "json" if sample.distinct_values_by_field else "label" if sample.labels else "text"


class PlannedSplit(NamedTuple):
    """Planned partitions, with approximate numbers of records."""

    test_share: float | None
    """Value of `data.test_share`; None if a separate file is the test set."""
    train_records: int
    test_records: int
    max_test_records: int | None
    """Value of `data.test_rows`; None to keep all test records."""


def plan_split(train: SampleStatistics, test: SampleStatistics | None) -> PlannedSplit:
    prompts = train.distinct_rows
    if test:
        most, there = MAX_FIXED_TEST_RECORDS, round(test.distinct_rows)
        return PlannedSplit(None, min(TRAIN_RECORDS, round(prompts)), min(most, there), most if there > most else None)
    share = round(min(MAX_TEST_SHARE, max(0.1, TEST_RECORDS / max(1.0, prompts))), 2)
    held_out, most = round(prompts * share), 2 * TEST_RECORDS
    return PlannedSplit(share, min(TRAIN_RECORDS, round(prompts - held_out)), min(most, held_out), most)


def validation_share(checkout_params: dict[str, Any], train_records: int) -> float:
    """Return `data.validation_share`: the checkout's value, a larger one for a small file, or 0 for no validation."""
    asked: float = checkout_params["data"].get("validation_share") or 0
    share = max(asked, math.ceil(100 * MIN_VALIDATION_RECORDS / train_records) / 100)
    return share if asked and share <= max(asked, MAX_VALIDATION_SHARE) else 0


def make_params(
    name: str, answers: Answers, sample: SampleStatistics, split: PlannedSplit, tier: str, technical_owner: str,
    business_owner: str, checkout_params: dict[str, Any],
) -> tuple[dict[str, Any], Comments]:  # fmt: skip
    """Return the params.yaml document, and comments on guessed values.

    `checkout_params` is the checkout's params.yaml.
    """
    what, train = target_form(sample), split.train_records
    data = {
        "max_malformed_share": 0.05,
        "min_prompt_chars": 1,
        "max_prompt_chars": round_up(1.5 * sample.prompt_chars[1]),
        "max_target_chars": round_up(1.5 * sample.max_target_chars),
        "near_duplicates": {"jaccard": 0.85, "conflict_jaccard": None if what in ("text", "none") else 0.8},
        **({"test_share": split.test_share} if split.test_share else {}),
        "validation_share": validation_share(checkout_params, train),
        "train_rows": TRAIN_RECORDS if train == TRAIN_RECORDS else None,
        "test_rows": split.max_test_records,
        "seed": 17,
    }
    target = _max_tokens(sample.max_target_bytes)
    tuned: dict[str, Any] = {
        "max_length": _context_window(1.5 * (sample.max_prompt_bytes + sample.max_target_bytes)),
        "validate_steps": None,
    }
    if what == "none":
        del data["max_target_chars"]
        tuned["max_length"] = min(TEXT_WINDOW, tuned["max_length"])
    if not data["validation_share"]:
        tuned |= dict.fromkeys(SETTINGS_THAT_NEED_VALIDATION)
    judged = {
        "target": "json" if what == "json" else "label",
        "label_field": sample.label_field,
        "max_new_tokens": target,
    }
    if what != "json":
        del judged["label_field"]
    evaluation = {key: value for key, value in checkout_params["evaluation"].items() if key != "label_field"}
    document = {
        "use_case": _use_case_card(name, answers, what, tier, technical_owner, business_owner),
        "prompts": {name: {"text_window": tuned["max_length"]} if what == "none" else {"system": SYSTEM_PROMPTS[what]}},
        "data": data,
        "base_model": checkout_params["base_model"],
        "training": checkout_params["training"] | tuned,
        "evaluation": judged | {key: value for key, value in evaluation.items() if key not in judged},
    }
    return document, _parameter_comments(sample, what, validated=bool(data["validation_share"]))


def _use_case_card(name: str, answers: Answers, what: str, tier: str, technical: str, business: str) -> dict[str, Any]:
    reason = "low-rank adaptation of a small model is what a first run takes"
    if what == "none":
        reason = "documents have no answers to learn"
    return {
        "name": name,
        "problem": answers.purpose,
        "users": [UNKNOWN_TEXT],
        "risk_tier": tier,
        "approach": "continued_pretraining" if what == "none" else "lora",
        "approach_reason": f"{UNKNOWN_TEXT}; {reason}",
        "approved_uses": [answers.purpose],
        "limitations": [f"{UNKNOWN_TEXT}; trained on one file"],
        "escalation_path": UNKNOWN_TEXT,
        "owners": {"business": business, "technical": technical, "data": answers.owner},
        "success_metrics": _success_metrics(what),
    }


def _success_metrics(what: str) -> list[dict[str, Any]]:
    better = {
        "name": "better than the untuned base model",
        "fact": "evaluate.gain_over_base",
        "bound": "low",
        "at_least": 0.01,
    }
    fast = {"name": "nobody waits for an answer", "fact": "measured.predict.latency_p95_ms", "at_most": 60000}
    if what == "none":
        foretells = {"name": "foretells texts better than the untuned base model"}
        return [{**foretells, "fact": "evaluate.perplexity_ratio_to_base", "at_most": 1.0}, fast]
    if what == "text":
        return [
            {"name": "no worse than the untuned base model", "fact": "evaluate.gain_over_base", "at_least": 0.0},
            fast,
        ]
    right = {"name": "the answer is right", "fact": "evaluate.exact_match", "at_least": 0.6}
    formed = {"name": "the answer has its form", "fact": "evaluate.format_adherence", "at_least": 0.98}
    return [right, better, formed, fast]


_VALIDATED = "of the training prompts: no step learns from them, and they choose the best weights"
_NOT_VALIDATED = "too few rows to set some aside; the weights of the last step are the result"


def _parameter_comments(sample: SampleStatistics, what: str, validated: bool) -> Comments:
    longest, target = sample.prompt_chars[1], sample.max_target_chars
    many = {"data.near_duplicates": "answers hardly repeat, so one question may have many right ones"}
    return {
        "use_case.risk_tier": "a tier of governance/policy.yaml",
        "use_case.success_metrics": "proposed; agree on them before training",
        "data.max_prompt_chars": f"the longest has {longest:,}",
        "data.max_target_chars": f"the longest has {target:,}",
        "data.test_share": "of the prompts, so that some hundred are tested",
        "data.train_rows": "null keeps all",
        "data.validation_share": _VALIDATED if validated else _NOT_VALIDATED,
        **({"training.validate_steps": "null looks ten times in all"} if validated else {}),
        "training.max_length": "tokens; more than the longest row can have",
        "evaluation.max_new_tokens": "more than the longest target can have",
    } | (many if what == "text" else {})


def _max_tokens(size_bytes: float) -> int:
    """Return the maximum number of tokens in a text of `size_bytes` bytes."""
    return min(CONTEXT_TOKENS, round(size_bytes / BYTES_PER_TOKEN) + 4)


def _context_window(size_bytes: float) -> int:
    """Return a power of two that is large enough for the number of tokens in a row of `size_bytes` bytes."""
    wanted, length = _max_tokens(size_bytes) + TEMPLATE_TOKENS, 128
    while length < min(wanted, CONTEXT_TOKENS):
        length *= 2
    return length
