"""Interface for running a model in one or more processes. It can be imported without loading torch or Ray."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

Operation = Literal["answer", "time", "foretell", "target_losses"]
"""Name of a method of `ModelProcess` that processes one item."""


class Executor(Protocol):
    """One or more processes that hold the same model and work in parallel."""

    def map_unordered(self, operation: Operation, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Call the method `operation` for each item. Yield each item's number and result, in order of completion."""
        ...

    def count_answering(self) -> int:
        """Return the number of processes that have returned at least one result."""
        ...

    def peak_bytes(self) -> int: ...
