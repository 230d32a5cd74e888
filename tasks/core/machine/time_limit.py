"""Time limit for a call of a library that has none of its own, or only one for each read."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

from tasks.core.errors import TimeLimitExceeded

T = TypeVar("T")


def call_within(seconds: float, call: Callable[[], T]) -> T:
    """Call a function in a thread, and return its result or raise its error.

    Args:
        seconds: Time limit. After it, the thread goes on without the caller, at most until the process ends.
        call: Function to call.

    Raises:
        TimeLimitExceeded: The function has not returned in time.
    """
    outcome = Future[T]()
    Thread(target=_complete, args=(call, outcome), daemon=True).start()
    wait([outcome], timeout=seconds)
    if not outcome.done():
        raise TimeLimitExceeded(f"no answer within {seconds:.0f} s")
    return outcome.result()


def _complete(call: Callable[[], T], outcome: Future[T]) -> None:
    try:
        outcome.set_result(call())
    except Exception as error:
        outcome.set_exception(error)
