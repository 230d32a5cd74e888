"""Waiting in tests: for a condition, never for a number of seconds.

A test that waits says what for, looks again and again, and goes on at the first look that shows it. How long it looks
in vain before it fails is `patience`: the seconds that a quick, quiet machine would never need, times the slowness of
this one. The slowness is measured once a session (`measure_slowness`, called by tests/conftest.py) and handed to all
processes of the session in an environment variable.
"""

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

SLOWNESS = "PYTEST_SLOWNESS"
"""Environment variable: how many times slower than a quick, quiet machine this one is, at least 1."""
LOOP_SECONDS = 0.0125
"""Seconds that the loop of `measure_slowness` takes on a quick, quiet machine."""
LOOK_SECONDS = 0.05
"""Seconds between two looks at a condition."""


def measure_slowness() -> float:
    """Return how much longer the machine takes now for a fixed piece of work than a quick, quiet one does."""
    began = time.perf_counter()
    for _ in range(3):
        sum(number * number for number in range(400_000))
    return max(1.0, (time.perf_counter() - began) / (3 * LOOP_SECONDS))


def patience(seconds: float) -> float:
    """Return how long to wait in vain on this machine for what takes at most `seconds` on a quick, quiet one."""
    return seconds * float(os.environ.get(SLOWNESS, "1"))


def lengthen_timeouts(items: list[pytest.Item], config: pytest.Config) -> None:
    """Let pytest-timeout give each test longer on a slower machine, as `wait_until` does."""
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
    """Return the first true result of `look`.

    Args:
        look: Called again and again.
        what: What is waited for, as the end of "waited for ...".
        seconds: Longest wait on a quick, quiet machine; on a slower one it is longer in proportion.
        every: Seconds between two looks.
        saw: What to print if the wait was in vain; the last result of `look` if it is not given.
        process: Process without which the wait is in vain; the wait ends when it has ended.

    Raises:
        AssertionError: The wait was in vain. It says what was waited for, how long, and what was seen.
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
