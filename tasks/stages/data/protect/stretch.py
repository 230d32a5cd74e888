"""What a recogniser found in a text."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tasks.sources.protection import Category


class Stretch(NamedTuple):
    """Characters `start` to `end` (exclusive) of a text, and the class they are of."""

    start: int
    end: int
    category: Category


Detector = Callable[[Sequence[str]], list[list[Stretch] | None]]
"""What stands in each of the texts, sorted and without overlaps; None for one that could not be read to its end.

Pure: no text's result depends on another's.
"""


def merged(first: Sequence[Stretch], second: Sequence[Stretch]) -> list[Stretch]:
    """Both, sorted; of `second` only what `first` does not cover."""
    kept = list(first)
    for item in second:
        pieces = [item]
        for taken in first:
            pieces = [part for piece in pieces for part in _outside(piece, taken)]
        kept += pieces
    return sorted(kept)


def _outside(piece: Stretch, taken: Stretch) -> list[Stretch]:
    """What of a piece lies before and behind a stretch that is taken."""
    if piece.end <= taken.start or piece.start >= taken.end:
        return [piece]
    before = piece._replace(end=taken.start)
    behind = piece._replace(start=taken.end)
    return [part for part in (before, behind) if part.start < part.end]
