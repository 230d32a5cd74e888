"""Waiting in tests: for a condition, never for a number of seconds.

A test checks a condition at short intervals and continues as soon as the condition holds. It fails after a limit
(`patience`): the seconds that a fast, idle machine would never need, times the slowness of this machine. The slowness
is measured once a session (`measure_slowness`, called by tests/conftest.py) and passed to all processes of the session
in an environment variable.
"""

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

SLOWNESS = "PYTEST_SLOWNESS"
"""Environment variable with the slowness of this machine, a factor of at least 1 for a fast, idle machine."""
LOOP_SECONDS = 0.0125
"""Seconds that the loop of `measure_slowness` takes on a fast, idle machine."""
LOOK_SECONDS = 0.05
"""Seconds between two checks of a condition."""


def measure_slowness(clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the time that this machine takes now for a fixed loop, relative to a fast, idle machine.

    Args:
        clock: Clock that measures; `time.process_time` leaves out what other processes take.
    """
    began = clock()
    for _ in range(3):
        sum(number * number for number in range(400_000))
    return max(1.0, (clock() - began) / (3 * LOOP_SECONDS))


def patience(seconds: float) -> float:
    """Return the limit on this machine, in seconds, for something that takes at most `seconds` on a fast, idle one."""
    return seconds * float(os.environ.get(SLOWNESS, "1"))


def lengthen_timeouts(items: list[pytest.Item], config: pytest.Config) -> None:
    """Lengthen the limits of pytest-timeout by the slowness of this machine."""
    for item in items:
        marker = item.get_closest_marker("timeout")
        seconds = float(marker.args[0] if marker else config.getini("timeout"))
        item.add_marker(pytest.mark.timeout(patience(seconds)), append=False)


def wait_until(
    look: Callable[[], T],
    what: str,
    *,
    seconds: float = 60,
    every: float = LOOK_SECONDS,
    saw: Callable[[], object] | None = None,
    process: "subprocess.Popen[Any] | None" = None,
) -> T:
    """Call `look` until it returns a true value, and return that value.

    Args:
        look: Function that is called repeatedly.
        what: Name of the condition, as the end of "waited for ...".
        seconds: Longest wait on a fast, idle machine; on a slower one it is longer in proportion.
        every: Seconds between two calls.
        saw: Returns what to print on failure; by default the last result of `look` is printed.
        process: Process that must make the condition true; the wait fails as soon as it has ended.

    Raises:
        AssertionError: The condition did not become true. The message has the condition, the time and the last result.
    """
    began, longest = time.monotonic(), patience(seconds)
    while True:
        ended = process.poll() if process else None
        if result := look():
            return result
        waited = time.monotonic() - began
        if ended is not None or waited > longest:
            why = "" if ended is None else f"; the process that was to bring it ended with {ended}"
            raise AssertionError(f"waited {waited:.0f} s for {what}{why}; saw: {saw() if saw else result!r}")
        time.sleep(every)
