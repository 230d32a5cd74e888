"""Detected spans of a text: a range of characters and its category."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tasks.sources.protection import Category


class DetectedSpan(NamedTuple):
    """Span of a text from `start` to `end` (exclusive), in characters, and its category."""

    start: int
    end: int
    category: Category
    spelling: str | None = None
    """Spelling from which the token is made, equal in all texts of a record; None for the characters of the span."""


Detector = Callable[[Sequence[str]], list[list[DetectedSpan] | None]]
"""Function that returns the detected spans of each text, sorted and without overlaps.

The result of a text is None if it could not be read to its end. It does not depend on the other texts.
"""


def merge(first: Sequence[DetectedSpan], second: Sequence[DetectedSpan]) -> list[DetectedSpan]:
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
    """Yield the parts of `item` that no span of `taken` covers; spans before index `place` end before it."""
    start = item.start
    while place < len(taken) and taken[place].start < item.end:
        if start < taken[place].start:
            yield item._replace(start=start, end=taken[place].start)
        start = taken[place].end
        place += 1
    if start < item.end:
        yield item._replace(start=start)
