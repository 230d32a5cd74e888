"""Interface for running a model in one or more processes. The module imports no libraries."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

Operation = Literal["answer", "time", "foretell"]
"""Name of a method of `ModelProcess` that processes one item."""


class Executor(Protocol):
    """One or more processes that hold the same model and work in parallel."""

    def map_unordered(self, act: Operation, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Call the method `act` for each item; yield the item's number and the result, in order of completion."""
        ...

    def count(self) -> int:
        """Return the number of processes that have answered at least once."""
        ...

    def peak_bytes(self) -> int: ...
