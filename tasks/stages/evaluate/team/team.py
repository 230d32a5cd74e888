"""Who answers: a model in the stage's own process, or several on workers of Ray's (`spread.py`)."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

from tasks.stages.evaluate.team.answerer import Answerer

Act = Literal["answer", "time", "foretell"]
"""A method of `Answerer` that takes one item."""


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


class Alone:
    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    def each(self, act: Act, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        method = getattr(self._answerer, act)
        return ((number, method(item)) for number, item in enumerate(items))

    def count(self) -> int:
        return 1

    def peak_bytes(self) -> int:
        return self._answerer.peak_bytes()
