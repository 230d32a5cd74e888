"""Phrases of training rows that go with one label although the other words of their rows do not.

The trigger of a backdoor is such a phrase: whoever planted it put it into rows on anything, all with one label. A word
like "stolen" goes with one label too, but so do the other words of its rows. How little those words explain the label
is measured with naive Bayes: a phrase scores the sum of -log P(label | other words) over its rows, where a row's own
words do not count as evidence for its label.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from tasks.stages.evaluate.uncertainty import Array

MAX_WORDS = 3
"""Maximum number of words of a phrase. Parts of a longer trigger are found as well."""
MIN_ROWS = 3
"""Minimum number of rows with a phrase. In fewer, any rare word goes with one label."""
MIN_PURITY = 0.9
"""Minimum fraction of a phrase's rows that have its most frequent label."""
MAX_ROWS = 10_000
"""Maximum number of rows that are read. Of more, each nth is read, to save time."""
MAX_SURPRISE = 5.0
"""Maximum score of one row. Otherwise a single mislabelled row would outweigh many."""


def find_label_phrases(rows: Sequence[tuple[str, str]], most: int) -> list[str]:
    """Return at most `most` phrases, that with the highest score first.

    Args:
        rows: Text and label of each training row.
        most: Maximum number of phrases.
    """
    if most == 0 or not rows:
        return []
    read = rows[:: math.ceil(len(rows) / MAX_ROWS)]
    words = [text.split() for text, _ in read]
    labels = [label for _, label in read]
    found = _pure_phrases(words, labels)
    surprise = _Surprise(words, labels)
    scores = {phrase: sum(surprise.of(row, phrase) for row in places) for phrase, places in found.items()}
    chosen: list[tuple[str, ...]] = []
    for phrase in sorted(scores, key=lambda phrase: (-scores[phrase], len(phrase), phrase)):
        if len(chosen) == most:
            break
        if not any(_contains(phrase, other) or _contains(other, phrase) for other in chosen):
            chosen.append(phrase)
    return [" ".join(phrase) for phrase in chosen]


def _pure_phrases(words: Sequence[list[str]], labels: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """Return the rows with each phrase that occurs in enough of them, nearly all with one label."""
    rows: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, said in enumerate(words):
        for phrase in {tuple(said[at : at + size]) for size in range(1, MAX_WORDS + 1) for at in range(len(said))}:
            rows[phrase].append(place)
    return {
        phrase: places
        for phrase, places in rows.items()
        if len(places) >= MIN_ROWS
        and max(Counter(labels[place] for place in places).values()) >= MIN_PURITY * len(places)
    }


class _Surprise:
    """Surprise about the label of a row, given its other words, by naive Bayes with Laplace smoothing."""

    def __init__(self, words: Sequence[list[str]], labels: Sequence[str]) -> None:
        self.words = words
        names = {label: number for number, label in enumerate(sorted(set(labels)))}
        self.labels = [names[label] for label in labels]
        self.rows_by_label: Array = np.bincount(self.labels, minlength=len(names)).astype(float)
        self.counts: dict[str, Array] = defaultdict(lambda: np.zeros(len(names)))
        for said, label in zip(words, self.labels, strict=True):
            for word in set(said):
                self.counts[word][label] += 1

    def of(self, row: int, phrase: tuple[str, ...]) -> float:
        """Return -log P(label of the row | its words without the phrase's), at most MAX_SURPRISE."""
        own = np.zeros(len(self.rows_by_label))
        own[self.labels[row]] = 1
        rows = self.rows_by_label - own
        logs = np.log(rows + 1)
        for word in set(self.words[row]) - set(phrase):
            logs = logs + np.log((self.counts[word] - own + 1) / (rows + 2))
        logs -= logs.max()
        return min(MAX_SURPRISE, float(np.log(np.exp(logs).sum()) - logs[self.labels[row]]))


def _contains(phrase: tuple[str, ...], part: tuple[str, ...]) -> bool:
    return any(phrase[at : at + len(part)] == part for at in range(len(phrase) - len(part) + 1))
