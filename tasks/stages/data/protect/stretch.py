"""What a recogniser found in a text."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tasks.sources.protection import Category


class Stretch(NamedTuple):
    """Characters `start` to `end` (exclusive) of a text, and the class they are of."""

    start: int
    end: int
    category: Category
    spelling: str | None = None
    """The value as another text of the record spells it, for one token in both; None: as it stands here."""


Detector = Callable[[Sequence[str]], list[list[Stretch] | None]]
"""What stands in each of the texts, sorted and without overlaps; None for one that could not be read to its end.

Pure: no text's result depends on another's.
"""


def merged(first: Sequence[Stretch], second: Sequence[Stretch]) -> list[Stretch]:
    """Both, sorted; of `second` only what `first` does not cover. Each is sorted and without overlaps."""
    kept, passed = list(first), 0
    for item in second:
        while passed < len(first) and first[passed].end <= item.start:
            passed += 1
        kept += _outside(item, first, passed)
    return sorted(kept)


def _outside(item: Stretch, taken: Sequence[Stretch], place: int) -> Iterator[Stretch]:
    """The pieces of a stretch that those taken, from `place` on, leave."""
    start = item.start
    while place < len(taken) and taken[place].start < item.end:
        if start < taken[place].start:
            yield item._replace(start=start, end=taken[place].start)
        start = taken[place].end
        place += 1
    if start < item.end:
        yield item._replace(start=start)
