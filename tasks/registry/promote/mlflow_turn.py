"""Turns at MLflow's registry: one process at a time, outside of the promotion lock and with a time limit.

MLflow only shows promotions. A server that answers slowly or never must keep nobody from promoting or from rolling
back, and its aliases are set again later.
"""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import TypeVar

from tasks.core.errors import Unavailable
from tasks.core.machine import locks

T = TypeVar("T")

LOCK_FILE = "mlflow.lock"
"""Lock below `.hallmark/` that a process holds while it sets aliases."""
MAX_WAIT_SECONDS = 10.0
"""Maximum time to wait for another process that sets aliases."""
MAX_SECONDS = 60.0
"""Maximum time to wait for MLflow in one turn."""


def take_turn(state: Path, act: Callable[[], T]) -> T:
    """Call a function that changes MLflow's registry, and return its result.

    The function runs in a thread. After the time limit, the thread goes on alone and keeps its turn until MLflow
    answers or the process ends.

    Args:
        state: Folder `.hallmark` of the checkout.
        act: Function that changes the registry.

    Raises:
        Unavailable: MLflow has not answered in time, or another process still waits for it.
    """
    outcome = Future[T]()
    Thread(target=_act_alone, args=(state, act, outcome), daemon=True).start()
    try:
        return outcome.result(MAX_WAIT_SECONDS + MAX_SECONDS)
    except TimeoutError:
        raise Unavailable(
            f"MLflow has not answered for {MAX_SECONDS:.0f} s, so its aliases may be old; look whether it is up"
        ) from None


def _act_alone(state: Path, act: Callable[[], T], outcome: Future[T]) -> None:
    try:
        with locks.try_exclusive_lock(state / LOCK_FILE, MAX_WAIT_SECONDS) as mine:
            if not mine:
                raise Unavailable(
                    "another process still waits for MLflow, so its aliases may be old; look whether it is up"
                )
            outcome.set_result(act())
    except BaseException as error:
        outcome.set_exception(error)
