"""Two-sample test of synthetic against real records: a classifier that tries to tell them apart, task by task.

If it succeeds, the synthetic records have marks that real ones lack, such as a phrase that the generator likes, and a
model learns these marks instead of the task. The classifier is a logistic regression over character n-grams. Its AUC
is computed on records that it has not seen, by cross-validation: .5 is chance, and 1 means that it is always right.
That is a classifier two-sample test (Lopez-Paz and Oquab, 2017, https://arxiv.org/abs/1610.06545).

What is different by intention is no mark: as many real as synthetic records of each label are compared, and
placeholders are taken out, because synthetic records never have any.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.core.params.evaluation import Evaluation
from tasks.core.records.record import SYNTHETIC, read_batches
from tasks.stages.data.conversations import normalise_spaces, prompts, targets, text_digest
from tasks.stages.data.protect.placeholders import PLACEHOLDER
from tasks.stages.data.record_labels import record_labels

LEAST_RECORDS = 20
"""Minimum number of records of each kind. With fewer, the interval would span almost every value."""
MOST_RECORDS = 1_000
"""Maximum number of records of each kind that are compared. The interval is then about .02 wide on each side."""
MOST_CHARACTERS = 500
"""Number of characters of a prompt, and of a target, that are compared. Marks of a generator are all over a text."""
FOLDS = 5
CHANCE = 0.5
"""AUC of a classifier that guesses."""
SEED = 17
NGRAM_LENGTHS = (3, 5)
NGRAM_RECORDS = 5
"""Minimum number of records that have an n-gram, so that none shows what only some few people wrote."""
SHOWN_NGRAMS = 10
SHOWN_NGRAM = re.compile(r"[^\W\d_](?:[^\W\d_]|[ .,;:!?'()-]){1,3}[^\W\d_]")
"""Form of the n-grams that are shown: letters, and signs and spaces between them."""
_DIGIT = re.compile(r"\d")


class TaskComparison(FrozenModel):
    """Synthetic records of a task and, if there are enough records, how well they are told from real ones."""

    task: str
    synthetic: int
    """Number of synthetic records that stage `split` will get."""
    real: int
    compared: int = 0
    """Number of records of each kind that were compared; 0 if there are fewer than LEAST_RECORDS."""
    auc: float | None = None
    low: float | None = None
    """Lower end of the 95 % interval of the AUC."""
    high: float | None = None
    ngrams: list[str] = []
    """N-grams by which a synthetic record is recognised, the most telling first."""

    @property
    def share(self) -> float:
        return self.synthetic / (self.synthetic + self.real)


class _Text(NamedTuple):
    digest: bytes
    label: str
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
    untested = sum(each.synthetic for each in comparisons if each.auc is None)
    facts = {
        "synthetic_untested": Fact(value=untested, unit="rows", note="synthetic, too few to compare with real ones")
    }
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
    return facts


def _tasks_with_synthetic_records(path: Path) -> set[str]:
    found: set[str] = set()
    for batch in read_batches(path, ["task", "origin"]):
        pairs = zip(batch["task"].to_pylist(), batch["origin"].to_pylist(), strict=True)
        found.update(task for task, origin in pairs if origin == SYNTHETIC)
    return found


def _read_texts(path: Path, evaluation: Evaluation) -> Iterator[tuple[str, bool, _Text]]:
    for batch in read_batches(path, ["task", "origin", "messages"], 2_000):
        labels = record_labels(batch["messages"], evaluation)
        columns = [column.to_pylist() for column in (batch["task"], batch["origin"])]
        asked, answered = (turns(batch["messages"]).to_pylist() for turns in (prompts, targets))
        for task, origin, label, prompt, target in zip(*columns, labels, asked, answered, strict=True):
            digest = text_digest(f"{prompt}\n{target}")
            yield task, origin == SYNTHETIC, _Text(digest, label, _plain(prompt), _plain(target))


def _plain(text: str) -> str:
    return normalise_spaces(_DIGIT.sub("0", PLACEHOLDER.sub(" ", text[: 2 * MOST_CHARACTERS])))[:MOST_CHARACTERS]


def _compare(task: str, synthetic: list[_Text], real: list[_Text]) -> TaskComparison:
    counted = TaskComparison(task=task, synthetic=len(synthetic), real=len(real))
    made, found = _matched_by_label(synthetic, real)
    texts = [[each.prompt for each in made], [each.prompt for each in found]]
    if len(made) < LEAST_RECORDS:  # targets that are texts are no labels, and are compared too
        size = min(len(synthetic), len(real), MOST_RECORDS)
        texts = [[f"{each.prompt}\n{each.target}" for each in side[:size]] for side in (synthetic, real)]
    size = len(texts[0])
    if size < LEAST_RECORDS:
        return counted
    is_synthetic = np.repeat([1, 0], size)
    scores, ngrams = _classify([*texts[0], *texts[1]], is_synthetic)
    auc = _area(scores, is_synthetic)
    margin = 1.96 * _standard_error(auc, size)
    return counted.model_copy(
        update={
            "compared": size,
            "auc": round(auc, 4),
            "low": round(max(auc - margin, 0.0), 4),
            "high": round(min(auc + margin, 1.0), 4),
            "ngrams": ngrams if auc - margin > CHANCE else [],
        }
    )


def _matched_by_label(synthetic: Sequence[_Text], real: Sequence[_Text]) -> tuple[list[_Text], list[_Text]]:
    """Return as many real as synthetic records of each label, at most MOST_RECORDS of each kind."""
    by_label: dict[str, tuple[list[_Text], list[_Text]]] = defaultdict(lambda: ([], []))
    for side, texts in enumerate((synthetic, real)):
        for each in texts:
            by_label[each.label][side].append(each)
    sizes = {label: min(map(len, sides)) for label, sides in by_label.items()}
    share = min(1.0, MOST_RECORDS / max(sum(sizes.values()), 1))
    chosen: tuple[list[_Text], list[_Text]] = ([], [])
    for label in sorted(by_label):
        for side in (0, 1):
            chosen[side].extend(by_label[label][side][: int(sizes[label] * share)])
    return chosen


def _classify(texts: list[str], is_synthetic: Any) -> tuple[Any, list[str]]:
    """Return the score of each text by a classifier that has not seen it, and the most telling n-grams of all texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    vectorizer = TfidfVectorizer(
        analyzer="char",
        ngram_range=NGRAM_LENGTHS,
        lowercase=False,
        min_df=NGRAM_RECORDS,
        sublinear_tf=True,
        dtype=np.float64,
    )
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError:  # no n-gram is in enough records, so there is nothing by which to tell them
        return np.zeros(len(texts)), []
    classifier = LogisticRegression(solver="liblinear", C=10.0, random_state=SEED)
    scores = np.zeros(len(texts))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(features, is_synthetic):
        scores[test] = classifier.fit(features[train], is_synthetic[train]).decision_function(features[test])
    weights = classifier.fit(features, is_synthetic).coef_[0].round(3)
    named = zip(vectorizer.get_feature_names_out().tolist(), weights.tolist(), strict=True)
    return scores.round(6), _most_telling({name: weight for name, weight in named if weight > 0})


def _most_telling(weights: Mapping[str, float]) -> list[str]:
    """Return the n-grams with the highest weights, without those that are part of a longer one or around a shorter."""
    shown: list[str] = []
    for name in sorted(weights, key=lambda name: (-weights[name], name)):
        if SHOWN_NGRAM.fullmatch(name) and not any(name in other or other in name for other in shown):
            shown.append(name)
        if len(shown) == SHOWN_NGRAMS:
            break
    return shown


def _area(scores: Any, is_synthetic: Any) -> float:
    """Return the area under the ROC curve: the probability that a synthetic record has a higher score than a real one.

    Ties count one half.
    """
    order = np.sort(scores[is_synthetic == 0])
    made = scores[is_synthetic == 1]
    below, up_to = np.searchsorted(order, made, "left"), np.searchsorted(order, made, "right")
    return float((below + up_to).sum() / 2 / (len(made) * len(order)))


def _standard_error(auc: float, size: int) -> float:
    """Return the standard error of an AUC for `size` records of each kind.

    Hanley and McNeil, 1982, https://doi.org/10.1148/radiology.143.1.7063747
    """
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (size - 1) * (first + second - 2 * auc**2)
    return float(np.sqrt(max(variance, 0.0)) / size)
