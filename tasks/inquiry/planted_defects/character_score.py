"""Recall and precision of masking, measured in characters other than white space."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tasks.sources.protection import Category
from tasks.stages.data.protect.detected_span import DetectedSpan

CategoryCounts = Counter[tuple[Category | None, Category | None]]
"""Number of characters by true category and by the category under which they were masked; None for no category."""


class CharacterScore(NamedTuple):
    """Masking counts of one category. All counts are numbers of characters other than white space."""

    truth: int
    hit: int
    marked: int
    right: int
    """Number of characters in `marked` that are truly personal or secret, of any category."""

    @property
    def recall(self) -> float:
        return self.hit / self.truth if self.truth else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.marked if self.marked else 1.0


def count_characters(text: str, truth: Sequence[DetectedSpan], marked: Sequence[DetectedSpan]) -> CategoryCounts:
    is_of, taken_for = (
        {i: span.category for span in spans for i in range(span.start, span.end) if not text[i].isspace()}
        for spans in (truth, marked)
    )
    return Counter((is_of.get(i), taken_for.get(i)) for i in is_of.keys() | taken_for.keys())


def score_categories(counted: Mapping[tuple[Category | None, Category | None], int]) -> dict[str, CharacterScore]:
    """Return the score of each category, and of all categories together under the name `all`.

    Recall is computed by true category, precision by the category under which characters were masked.
    """
    named = {name for pair in counted for name in pair if name}
    return {name: _category_score(counted, name) for name in sorted(named)} | {"all": _category_score(counted, None)}


def _category_score(
    counted: Mapping[tuple[Category | None, Category | None], int], name: Category | None
) -> CharacterScore:
    of = [(pair, count) for pair, count in counted.items() if pair[0] and name in (None, pair[0])]
    marked = [(pair, count) for pair, count in counted.items() if pair[1] and name in (None, pair[1])]
    return CharacterScore(
        truth=sum(count for _, count in of),
        hit=sum(count for (_, taken), count in of if taken),
        marked=sum(count for _, count in marked),
        right=sum(count for (real, _), count in marked if real),
    )
