"""Measurement of DeepSpeed's communication between workers. They exchange gradients, weights and parts of long rows."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from torch import distributed

COLLECTIVE_METHODS = (
    "all_reduce", "all_reduce_coalesced", "reduce", "reduce_scatter", "reduce_scatter_tensor", "broadcast",
    "all_gather", "all_gather_into_tensor", "all_gather_base", "all_gather_coalesced",
    "all_gather_object", "all_to_all_single", "all_to_all", "broadcast_object_list", "barrier",
)  # fmt: skip
"""Names of the methods of `deepspeed.comm.torch.TorchBackend` that communicate with other workers."""
ContextFactory = Callable[[], AbstractContextManager[None]]


@contextmanager
def wrap_collectives(context_factory: ContextFactory) -> Iterator[None]:
    """Wrap each communication call of DeepSpeed in a context manager during the block.

    An asynchronous operation is wrapped only while the program waits for its result. A single worker does not
    communicate, so nothing is wrapped.

    Args:
        context_factory: Function that returns a new context manager.
    """
    from deepspeed.comm import comm

    backend = comm.cdb
    if backend is None or distributed.get_world_size() == 1:
        yield
        return
    for name in COLLECTIVE_METHODS:
        setattr(backend, name, _wrap_collective(getattr(backend, name), context_factory))
    try:
        yield
    finally:
        for name in COLLECTIVE_METHODS:
            delattr(backend, name)  # uncovers the method of the class


def _wrap_collective(exchange: Callable[..., Any], context_factory: ContextFactory) -> Callable[..., Any]:
    def wrapped(*given: Any, **named: Any) -> Any:
        # `async_op` is the only argument that is true or false. DeepSpeed's decorator hides the signature.
        if named.get("async_op") or any(it is True for it in given):
            operation = exchange(*given, **named)
            return None if operation is None else _PendingOperation(operation, context_factory)
        with context_factory():
            return exchange(*given, **named)

    return wrapped


class _PendingOperation:
    def __init__(self, begun: Any, around: ContextFactory) -> None:
        self._begun, self._around = begun, around

    def __getattr__(self, name: str) -> Any:
        return getattr(self._begun, name)

    def wait(self, *given: Any, **named: Any) -> Any:
        with self._around():
            return self._begun.wait(*given, **named)
