"""Executor that runs one model in the stage's own process."""

from collections.abc import Iterable, Iterator
from typing import Any

from tasks.stages.evaluate.inference.executor import Operation
from tasks.stages.evaluate.inference.model_process import ModelProcess


class InProcessExecutor:
    def __init__(self, model: ModelProcess) -> None:
        self._answerer = model

    def map_unordered(self, operation: Operation, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        method = getattr(self._answerer, operation)
        return ((number, method(item)) for number, item in enumerate(items))

    def count_answering(self) -> int:
        return 1

    def peak_bytes(self) -> int:
        return self._answerer.peak_bytes()
