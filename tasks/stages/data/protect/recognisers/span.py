"""Spans that recognisers return: a range of characters, its kind and a score."""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """Range of characters from `start` to `end` (exclusive), with the kind of value found there."""

    start: int
    end: int
    kind: str
    """Kind of value, named as in Presidio if Presidio has a name for it (`EMAIL_ADDRESS`, `PERSON`)."""
    score: float
    """Confidence of the rule, from 0 to 1: 1.0 for a valid check digit or an unmistakable format, .85 for format and
    context, .6 for only a format."""


Recogniser = Callable[[str], list[Span]]
"""Function that finds spans in folded text (see `fold`), in time linear in the length of the text."""


def resolve_overlaps(spans: list[Span]) -> list[Span]:
    """Return the spans sorted and without overlaps.

    Of two spans that overlap, the one with the higher score is kept, then the longer one, then the earlier one. The
    remaining parts of the other are kept as separate spans, so that every covered character stays covered.
    """
    covered = bytearray(max((s.end for s in spans), default=0))
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start, s.kind)):
        for start, end in _uncovered_ranges(covered, span.start, span.end):
            kept.append(span._replace(start=start, end=end))
            covered[start:end] = b"\1" * (end - start)
    return sorted(kept)


def _uncovered_ranges(taken: bytearray, start: int, end: int) -> Iterator[tuple[int, int]]:
    while (begin := taken.find(0, start, end)) >= 0:
        stop = taken.find(1, begin, end)
        start = end if stop < 0 else stop
        yield begin, start
