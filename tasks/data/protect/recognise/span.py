"""What a recogniser finds: a stretch of text, what it is, and how sure the rule is."""

from collections.abc import Callable
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
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start, s.kind)):
        kept.extend(piece for piece in _outside(span, kept) if piece.end > piece.start)
    return sorted(kept)


def _outside(span: Span, kept: list[Span]) -> list[Span]:
    """What of a span no kept span covers."""
    pieces = [span]
    for k in kept:
        if k.start < span.end and span.start < k.end:
            pieces = [
                part
                for p in pieces
                for part in (p._replace(end=min(p.end, k.start)), p._replace(start=max(p.start, k.end)))
                if part.end > part.start
            ]
    return pieces
