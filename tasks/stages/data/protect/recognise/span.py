"""What a recogniser finds: a stretch of text, what it is, and how sure the rule is."""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """Characters `start` to `end` (exclusive) of a text."""

    start: int
    end: int
    kind: str
    """What it is, in Presidio's spelling where Presidio has a name for it (`EMAIL_ADDRESS`, `PERSON`)."""
    score: float
    """0 to 1. 1.0: a check digit agrees or the form is unmistakable; .85: form and context; .6: form alone."""


Find = Callable[[str], list[Span]]
"""A recogniser. It gets folded text (see `fold`) and is linear in its length."""


def choose(spans: list[Span]) -> list[Span]:
    """Spans without overlaps: of two that overlap the better scored stays, then the longer, then the earlier.

    What the loser covers beyond the winner is kept as a span of its own, so that choosing never uncovers a character.
    """
    taken = bytearray(max((s.end for s in spans), default=0))
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start, s.kind)):
        for start, end in _free(taken, span.start, span.end):
            kept.append(span._replace(start=start, end=end))
            taken[start:end] = b"\1" * (end - start)
    return sorted(kept)


def _free(taken: bytearray, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretches of `start` to `end` that nothing has taken yet."""
    while (begin := taken.find(0, start, end)) >= 0:
        stop = taken.find(1, begin, end)
        start = end if stop < 0 else stop
        yield begin, start
