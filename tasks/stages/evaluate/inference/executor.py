"""Interface of a team: one or several processes that hold the same model. The module imports no libraries."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

Operation = Literal["answer", "time", "foretell"]
"""Name of a method of `model_process.ModelProcess` that takes one item."""


class Executor(Protocol):
    """One or several processes that hold the same model and answer in parallel."""

    def map_unordered(self, act: Operation, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Call `act` for each item; yield the item's number with the result, in order of completion."""
        ...

    def count(self) -> int:
        """Return the number of processes that have answered at least once."""
        ...

    def peak_bytes(self) -> int: ...
