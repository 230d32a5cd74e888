"""Governance files of a new use case: its own sources.yaml, and copies of the checkout's policy.yaml and people.yaml.

In the copied policy, only checks that a small file cannot pass are changed. Minimum numbers of rows are lowered, and
checks of classes are removed if answers are free text. Each change is stated in a comment, so that the risk officer
sees it. The data owner is added to the copied people.yaml if necessary.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tasks.core.documents import config, yaml_text
from tasks.core.errors import InputError
from tasks.scaffold.answers import Answers
from tasks.scaffold.commented_yaml import Comments
from tasks.scaffold.mapping import GuessedMapping
from tasks.scaffold.parameters import UNKNOWN_TEXT
from tasks.scaffold.sample_statistics import SampledFile, SampleStatistics
from tasks.sources.sources import Source

DEFAULT_RETENTION_DAYS = 3650
ROW_COUNT_METRICS = {"split.train_rows": 0, "split.test_rows": 1, "evaluate.test_rows": 1}
"""Metrics that count rows, with the index of the counted partition: 0 for training, 1 for test."""
CLASS_METRICS = {"split.labels_only_in_test"}
"""Metrics that are meaningless if answers are free text."""


def make_sources(
    name: str, files: Mapping[str, SampledFile], guessed_mapping: GuessedMapping, answers: Answers
) -> tuple[dict[str, Any], Comments]:
    """Return the sources.yaml document, and comments on guessed values.

    Args:
        name: Name of the use case, and of the source to train on.
        files: Data files by the id of their source. All other files are test sets.
        guessed_mapping: Mapping of the columns of all files.
        answers: The user's answers.
    """
    constants = {"task": name, **language_constants(guessed_mapping, files[name].sample)}
    sources = [
        {
            "id": source_id, "kind": file.source.kind, "location": file.source.location, **_text_format(file.source),
            "owner": answers.owner, "steward": answers.owner, "access": ["data_owner"],
            "classification": "confidential", "lawful_basis": answers.basis, "licence": answers.licence,
            "retention_days": retention_days(sample), "region": UNKNOWN_TEXT,
            "refresh_days": DEFAULT_RETENTION_DAYS, "approved_uses": [answers.purpose], "description": UNKNOWN_TEXT,
            **({"split": "train" if source_id == name else "test"} if len(files) > 1 else {}),
            "suite": f"expectations/{source_id}.yaml", **({"personal": answers.personal} if answers.personal else {}),
            "mapping": dict(guessed_mapping.columns_by_key), "constants": dict(constants),
        }
        for source_id, (file, sample) in files.items()
    ]  # fmt: skip
    remarks = {
        "sources.classification": "public, internal, confidential or restricted: guessed with care",
        "sources.retention_days": "how long after `effective_from` a record may be used: guessed",
        "sources.refresh_days": "how old its newest record may be: guessed",
        **({"sources.personal": "all of these fields counts as found"} if answers.personal else {}),
        "sources.region": "where it is kept, e.g. eu",
    }
    return {"sources": sources, "dataset_suite": "expectations/dataset.yaml"}, remarks


def _text_format(source: Source) -> dict[str, str]:
    return {key: value for key in ("encoding", "delimiter") if (value := getattr(source, key)) not in ("utf-8", ",")}


def language_constants(guessed_mapping: GuessedMapping, sample: SampleStatistics) -> dict[str, str]:
    return {"language": sample.language} if sample.language and "language" not in guessed_mapping.columns_by_key else {}


def retention_days(sample: SampleStatistics) -> int:
    """Return the retention period in days: ten years, or longer if the oldest record would expire within a year."""
    age = (datetime.now(UTC).date() - sample.date_range[0]).days if sample.date_range else 0
    return max(DEFAULT_RETENTION_DAYS, age + 365)


def adapt_policy(
    folder: Path, tier: str, partition_sizes: tuple[int, int], has_classes: bool
) -> tuple[str, list[tuple[str, str]]]:
    """Adapt the checkout's policy.yaml to a small data file.

    Args:
        folder: Governance folder of the checkout.
        tier: Risk tier of the use case.
        partition_sizes: Numbers of training and test records.
        has_classes: Whether targets are class names. If so, each class in the test records must be in the training
            records.

    Returns:
        Text of the adapted file, and a list of the changes, each with its reason.

    Raises:
        InputError: The policy has no such tier.
    """
    text = (folder / "policy.yaml").read_text(encoding="utf-8")
    document, before = (yaml_text.parse_with_limits(text, str(folder / "policy.yaml")) for _ in range(2))
    tiers = document.get("tiers") or {}
    if tier not in tiers:
        raise InputError(f"there is no risk tier {tier!r} in policy.yaml; it has {', '.join(map(str, tiers))}")
    changed: list[tuple[str, str]] = []
    for name, gate in (tiers[tier].get("gates") or {}).items():
        checks = gate.get("checks") or []
        changed += [_lower_check(check, partition_sizes) for check in checks if _is_unreachable(check, partition_sizes)]
        if not has_classes and (free := [check for check in checks if check.get("fact") in CLASS_METRICS]):
            changed.append((f"the {name} gate does not ask {free[0]['name']!r}", "answers are free text, not classes"))
            checks[:] = [check for check in checks if check.get("fact") not in CLASS_METRICS]
            waived = (gate.get("waive") or {}).get("checks") or []
            waived[:] = [each for each in waived if each not in {check["name"] for check in free}]
    return "".join(f"# {line}\n" for line in _change_notes(changed)) + _edited_text(text, before, document), changed


def _edited_text(text: str, original: Any, document: Any) -> str:
    """Return the policy's text with the changed checks. All other lines stay as they are.

    If a check shares a line with other content, ruamel rewrites the whole document instead.
    """
    lines: list[str | None] = list(text.splitlines())
    for tier, said in original["tiers"].items():
        for name, gate in (said.get("gates") or {}).items():
            now = {check["name"]: check for check in document["tiers"][tier]["gates"][name].get("checks") or []}
            for place, check in enumerate(gate.get("checks") or []):
                at = config.find_line_number(original, ["tiers", tier, "gates", name, "checks", place, "name"]) - 1
                lines[at] = _edited_line(lines[at], now.get(check["name"]))
    edited = "".join(f"{line}\n" for line in lines if line is not None)
    if config.to_plain_value(yaml_text.parse_with_limits(edited, "policy.yaml")) == config.to_plain_value(document):
        return edited
    out, writer = StringIO(), YAML()
    writer.width = 4096
    writer.dump(document, out)
    return out.getvalue()


def _edited_line(line: str | None, now: Any) -> str | None:
    if line is None or now is None:
        return None
    return re.sub(r"at_least: *[\d.]+", f"at_least: {now['at_least']}", line) if "at_least" in now else line


def _change_notes(changed: list[tuple[str, str]]) -> list[str]:
    if not changed:
        return ["The policy of the checkout, copied by `hallmark new`."]
    return [
        "The policy of the checkout, copied by `hallmark new`, but for what its file cannot reach:",
        *(f"{what}: {why}" for what, why in changed),
    ]


def _is_unreachable(check: dict[str, Any], sides: tuple[int, int]) -> bool:
    return (
        check.get("fact") in ROW_COUNT_METRICS
        and check.get("at_least", 0) > 0.85 * sides[ROW_COUNT_METRICS[check["fact"]]]
    )


def _lower_check(check: dict[str, Any], sides: tuple[int, int]) -> tuple[str, str]:
    before, check["at_least"] = check["at_least"], max(1, int(0.75 * sides[ROW_COUNT_METRICS[check["fact"]]]))
    return f"{check['name']}: at least {check['at_least']}, where the checkout asks {before}", "the file has no more"


def add_owner(folder: Path, owner: str) -> tuple[str, bool]:
    """Return the text of the checkout's people.yaml including the owner, and whether the owner was added to it."""
    text = (folder / "people.yaml").read_text(encoding="utf-8")
    document = yaml_text.parse_with_limits(text, str(folder / "people.yaml"))
    if any(person.get("id") == owner for person in document.get("people") or []):
        return text, False
    document["people"].append({"id": owner, "name": owner, "roles": ["data_owner"]})
    out, writer = StringIO(), YAML()
    writer.width = 4096
    writer.dump(document, out)
    return out.getvalue(), True
