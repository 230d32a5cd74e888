"""Turns at MLflow's registry: one process at a time, outside of the promotion lock and with a time limit.

MLflow only shows promotions. A server that answers slowly, wrongly or never must not keep anybody from promoting or
rolling back. Its aliases are set again later.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tasks.core.errors import HallmarkError, TimeLimitExceeded, Unavailable
from tasks.core.formatting import format_url
from tasks.core.machine import locks
from tasks.core.machine.time_limit import call_within

T = TypeVar("T")

LOCK_FILE = "mlflow.lock"
"""Lock below `.hallmark/` that a process holds while it sets aliases."""
LOCK_WAIT_SECONDS = 10.0
"""Maximum time to wait for another process that sets aliases."""
TIME_LIMIT_SECONDS = 60.0
"""Maximum time to wait for MLflow in one turn."""


def take_turn(state: Path, act: Callable[[], T]) -> T:
    """Call a function that changes MLflow's registry, and return its result.

    The function runs in a thread. After the time limit, the thread continues without the caller and keeps its turn
    until MLflow answers or the process ends.

    Args:
        state: Folder `.hallmark` of the checkout.
        act: Function that changes the registry.

    Raises:
        Unavailable: MLflow did not answer in time or answered wrongly, or another process is still waiting for it.
    """
    try:
        return call_within(LOCK_WAIT_SECONDS + TIME_LIMIT_SECONDS, lambda: _act_alone(state, act))
    except TimeLimitExceeded:
        raise Unavailable(
            f"MLflow did not answer within {TIME_LIMIT_SECONDS:.0f} s, so its aliases may be out of date; check that "
            "it is up"
        ) from None


def _act_alone(state: Path, act: Callable[[], T]) -> T:
    try:
        with locks.try_exclusive_lock(state / LOCK_FILE, LOCK_WAIT_SECONDS) as is_ours:
            if not is_ours:
                raise Unavailable("another process is still waiting for MLflow; check that it is up")
            return act()
    except HallmarkError:
        raise
    except Exception as error:  # what MLflow's client makes of a wrong answer can be of any type
        why = format_url(f"{type(error).__name__}: {error}")
        raise Unavailable(f"MLflow cannot be used ({why}); try again") from None
