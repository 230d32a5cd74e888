"""Detected spans of a text: ranges of characters, each with a category."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tasks.sources.protection import Category


class DetectedSpan(NamedTuple):
    """Range of characters from `start` to `end` (exclusive) in which a value of a category was detected."""

    start: int
    end: int
    category: Category
    spelling: str | None = None
    """Spelling from which the token is derived, equal in all texts of a record; None if the characters of the span are
    used."""


Detector = Callable[[Sequence[str]], list[list[DetectedSpan] | None]]
"""Function that returns the detected spans of each text, sorted and without overlaps.

The result for a text does not depend on the other texts; it is None if the text could not be read to its end.
"""


def merge_spans(first: Sequence[DetectedSpan], second: Sequence[DetectedSpan]) -> list[DetectedSpan]:
    """Return the spans of `first`, and the parts of `second` that `first` does not cover, sorted.

    Both must be sorted and without overlaps.
    """
    kept, passed = list(first), 0
    for item in second:
        while passed < len(first) and first[passed].end <= item.start:
            passed += 1
        kept += _uncovered_parts(item, first, passed)
    return sorted(kept)


def _uncovered_parts(item: DetectedSpan, taken: Sequence[DetectedSpan], place: int) -> Iterator[DetectedSpan]:
    start = item.start
    while place < len(taken) and taken[place].start < item.end:
        if start < taken[place].start:
            yield item._replace(start=start, end=taken[place].start)
        start = taken[place].end
        place += 1
    if start < item.end:
        yield item._replace(start=start)
