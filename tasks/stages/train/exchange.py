"""What DeepSpeed has workers exchange: gradients, parts of weights, parts of long rows."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from torch import distributed

OPERATIONS = (
    "all_reduce", "all_reduce_coalesced", "reduce", "reduce_scatter", "reduce_scatter_tensor", "broadcast",
    "all_gather", "all_gather_into_tensor", "all_gather_base", "all_gather_coalesced",
    "all_to_all_single", "all_to_all", "barrier",
)  # fmt: skip
"""Of `deepspeed.comm.torch.TorchBackend`."""
Around = Callable[[], AbstractContextManager[None]]


@contextmanager
def within(around: Around) -> Iterator[None]:
    """While the block runs, each exchange is done within what `around` opens: one that goes on beside other work only
    where that waits for it. One worker alone exchanges nothing."""
    from deepspeed.comm import comm

    backend = comm.cdb
    if backend is None or distributed.get_world_size() == 1:
        yield
        return
    for name in OPERATIONS:
        setattr(backend, name, _wrapped(getattr(backend, name), around))
    try:
        yield
    finally:
        for name in OPERATIONS:
            delattr(backend, name)  # that of its class shows again


def _wrapped(exchange: Callable[..., Any], around: Around) -> Callable[..., Any]:
    taken = inspect.signature(exchange)

    def within_it(*given: Any, **named: Any) -> Any:
        if taken.bind(*given, **named).arguments.get("async_op"):
            return _Begun(exchange(*given, **named), around)
        with around():
            return exchange(*given, **named)

    return within_it


class _Begun:
    """An exchange that goes on beside other work."""

    def __init__(self, begun: Any, around: Around) -> None:
        self._begun, self._around = begun, around

    def __getattr__(self, name: str) -> Any:
        return getattr(self._begun, name)

    def wait(self, *given: Any, **named: Any) -> Any:
        with self._around():
            return self._begun.wait(*given, **named)
