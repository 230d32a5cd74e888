"""What is asked of those who answer, one or several. It loads nothing."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

Act = Literal["answer", "time", "foretell"]
"""A method of `answerer.Answerer` that takes one item."""


class Team(Protocol):
    def each(self, act: Act, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """What comes of each item, with its number, as it comes: in any order."""
        ...

    def count(self) -> int:
        """Of those that have answered anything."""
        ...

    def peak_bytes(self) -> int:
        """The most that one of them held."""
        ...
