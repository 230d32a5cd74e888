"""Two-sample test of synthetic against real records: a classifier that tries to tell them apart, task by task.

If it succeeds, the synthetic records have marks that real ones lack, such as a phrase that the generator likes, and a
model learns these marks instead of the task. The classifier is a logistic regression over character n-grams. Its AUC
is computed on records that it has not seen, by cross-validation: .5 is chance, and 1 means that it is always right.
That is a classifier two-sample test (Lopez-Paz and Oquab, 2017, https://arxiv.org/abs/1610.06545).

What is different by intention is no mark: as many real as synthetic records of each label and language are compared,
and placeholders are taken out, because synthetic records never have any.

An AUC clearly below .5 is a mark as well. Each synthetic record then resembles one real record more than real ones
resemble each other, so the classifier takes it for real: the records repeat real ones with small changes.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.core.params.evaluation import Evaluation
from tasks.core.records.record import SYNTHETIC, read_batches
from tasks.stages.data.conversations import normalise_spaces, prompts, targets, text_digest
from tasks.stages.data.protect.placeholders import PLACEHOLDER
from tasks.stages.data.record_labels import record_labels
from tasks.stages.data.validate.sample_classifier import area_under_curve, classify_texts, standard_error

LEAST_RECORDS = 20
"""Minimum number of records of each kind. With fewer, the interval would span almost every value."""
MOST_RECORDS = 1_000
"""Maximum number of records of each kind that are compared. The interval is then about .04 wide on each side."""
MOST_CHARACTERS = 500
"""Number of characters of a prompt, and of a target, that are compared. Marks of a generator are all over a text."""
CHANCE = 0.5
"""AUC of a classifier that guesses."""
REPEATING_MARGIN = 0.1
"""Distance below CHANCE from which an AUC is a sign of repeated records. Of equal samples of real messages, none of 120
was as low."""
_DIGIT = re.compile(r"\d")


class TaskComparison(FrozenModel):
    """Synthetic records of a task and, if there are enough records, how well they are told from real ones."""

    task: str
    synthetic: int
    """Number of synthetic records that stage `split` will get."""
    real: int
    compared: int = 0
    """Number of records of each kind that were compared; 0 if there are fewer than LEAST_RECORDS."""
    unmatched: int = 0
    """Number of synthetic records in a language of which the task has fewer than LEAST_RECORDS real records."""
    auc: float | None = None
    low: float | None = None
    """Lower end of the 95 % interval of the AUC."""
    high: float | None = None
    ngrams: list[str] = []
    """N-grams by which a synthetic record is recognised, the most telling first. The gate shows them to everybody who
    may see the run, so they are short."""
    words: list[str] = []
    """Words of synthetic records around each of the n-grams, for Data Docs."""

    @property
    def share(self) -> float:
        return self.synthetic / (self.synthetic + self.real)

    @property
    def repeats_real_ones(self) -> bool:
        return self.high is not None and self.high < CHANCE - REPEATING_MARGIN


class _Text(NamedTuple):
    digest: bytes
    label: str
    language: str
    prompt: str
    target: str


def compare_tasks(path: Path, evaluation: Evaluation) -> list[TaskComparison]:
    """Compare the synthetic records of each task with its real ones. Tasks without synthetic records are left out.

    The result depends neither on the order of the records nor on the vault's key.
    """
    tasks = _tasks_with_synthetic_records(path)
    texts: dict[tuple[str, bool], list[_Text]] = defaultdict(list)
    for task, is_synthetic, text in _read_texts(path, evaluation) if tasks else ():
        if task in tasks:
            texts[task, is_synthetic].append(text)
    return [_compare(task, sorted(texts[task, True]), sorted(texts[task, False])) for task in sorted(tasks)]


def to_facts(comparisons: Sequence[TaskComparison]) -> Facts:
    """Return the metrics for the data gate; none if no record is synthetic."""
    if not comparisons:
        return {}
    untested = sum(each.synthetic if each.auc is None else each.unmatched for each in comparisons)
    note = "synthetic, and too few real ones of their task and language to compare them with"
    facts = {"synthetic_untested": Fact(value=untested, unit="rows", note=note)}
    tested = [each for each in comparisons if each.auc is not None]
    if tested:
        worst = max(tested, key=lambda each: (each.low or 0.0, each.task))
        note = (
            "a classifier tells synthetic from real records (.5: as by chance, 1: always); most easily those of task "
        )
        by = f", by {', '.join(f'«{ngram}»' for ngram in worst.ngrams)}" if worst.ngrams else ""
        facts["synthetic_auc"] = Fact(
            value=worst.auc or 0.0, low=worst.low, high=worst.high, note=f"{note}{worst.task}{by}"
        )
        nearest = min(tested, key=lambda each: (each.high or 0.0, each.task))
        facts["synthetic_lowest_auc"] = Fact(
            value=nearest.auc or 0.0, low=nearest.low, high=nearest.high,
            note=f"of task {nearest.task}; clearly below .5, records repeat real ones with small changes",
        )  # fmt: skip
    return facts


def _tasks_with_synthetic_records(path: Path) -> set[str]:
    found: set[str] = set()
    for batch in read_batches(path, ["task", "origin"]):
        pairs = zip(batch["task"].to_pylist(), batch["origin"].to_pylist(), strict=True)
        found.update(task for task, origin in pairs if origin == SYNTHETIC)
    return found


def _read_texts(path: Path, evaluation: Evaluation) -> Iterator[tuple[str, bool, _Text]]:
    for batch in read_batches(path, ["task", "origin", "language", "messages"], 2_000):
        labels = record_labels(batch["messages"], evaluation)
        columns = [batch[name].to_pylist() for name in ("task", "origin", "language")]
        asked, answered = (turns(batch["messages"]).to_pylist() for turns in (prompts, targets))
        for task, origin, language, label, prompt, target in zip(*columns, labels, asked, answered, strict=True):
            digest, main = text_digest(f"{prompt}\n{target}"), re.split("[-_]", language.casefold())[0]  # de-AT is de
            yield task, origin == SYNTHETIC, _Text(digest, label, main, _plain(prompt), _plain(target))


def _plain(text: str) -> str:
    return normalise_spaces(_DIGIT.sub("0", PLACEHOLDER.sub(" ", text[: 2 * MOST_CHARACTERS])))[:MOST_CHARACTERS]


def _compare(task: str, synthetic: list[_Text], real: list[_Text]) -> TaskComparison:
    languages = Counter(each.language for each in real)
    unmatched = sum(languages[each.language] < LEAST_RECORDS for each in synthetic)
    counted = TaskComparison(task=task, synthetic=len(synthetic), real=len(real), unmatched=unmatched)
    sides = _match(synthetic, real, lambda each: (each.label, each.language))
    texts = [[each.prompt for each in side] for side in sides]
    if len(texts[0]) < LEAST_RECORDS:  # targets that are texts are no labels, and are compared too
        sides = _match(synthetic, real, lambda each: each.language)
        texts = [[f"{each.prompt}\n{each.target}" for each in side] for side in sides]
    size = len(texts[0])
    if size < LEAST_RECORDS:
        return counted
    scores, found = classify_texts(*texts)
    auc = area_under_curve(scores)
    margin = 1.96 * standard_error(auc, size)
    telling = found if auc - margin > CHANCE else []
    return counted.model_copy(
        update={
            "compared": size,
            "auc": round(auc, 4),
            "low": round(max(auc - margin, 0.0), 4),
            "high": round(min(auc + margin, 1.0), 4),
            "ngrams": [ngram for ngram, _ in telling],
            "words": [words for _, words in telling],
        }
    )


def _match(
    synthetic: Sequence[_Text], real: Sequence[_Text], key: Callable[[_Text], Any]
) -> tuple[list[_Text], list[_Text]]:
    """Return as many real as synthetic records with each key, at most MOST_RECORDS of each kind, in the same order."""
    by_key: dict[Any, tuple[list[_Text], list[_Text]]] = defaultdict(lambda: ([], []))
    for side, texts in enumerate((synthetic, real)):
        for each in texts:
            by_key[key(each)][side].append(each)
    sizes = {name: min(map(len, sides)) for name, sides in by_key.items()}
    share = min(1.0, MOST_RECORDS / max(sum(sizes.values()), 1))
    chosen: tuple[list[_Text], list[_Text]] = ([], [])
    for name in sorted(by_key):
        for side in (0, 1):
            chosen[side].extend(by_key[name][side][: int(sizes[name] * share)])
    return chosen
