"""Places of one kind with something about a person."""

from collections.abc import Sequence
from typing import NamedTuple

MAX_NAMED = 5
"""Maximum number of places that a text names."""


class Places(NamedTuple):
    number: int
    """Number of rows, runs, folders or other items, as the text says."""
    text: str

    @staticmethod
    def of(noun: str, names: Sequence[str]) -> "Places":
        more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
        return Places(len(names), f"{noun} {', '.join(names[:MAX_NAMED])}{more}")
