"""What a recogniser found in a text."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tasks.govern.protection import Category


class Found(NamedTuple):
    """Characters `start` to `end` (exclusive) of a text, and the class they are of."""

    start: int
    end: int
    category: Category


Detector = Callable[[Sequence[str]], list[list[Found] | None]]
"""What stands in each of the texts, sorted and without overlaps; None for one that could not be read to its end.

Pure: no text's result depends on another's.
"""
