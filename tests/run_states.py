"""Where a run stands, as `hallmark status RUN --json` says it, without a process for each look."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.runs.summary import summarise

LOOK_SECONDS = 0.2


def status(project: Path, run: str) -> dict[str, Any]:
    """Fails where there is no such run."""
    found = summarise(project / ".hallmark", run)
    assert found is not None, f"there is no run {run}"
    return found.model_dump(mode="json")


def wait_until(
    project: Path, run: str, done: Callable[[dict[str, Any]], object], seconds: float = 600
) -> dict[str, Any]:
    """The run as soon as `done` says so of it; it may have no journal yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = summarise(project / ".hallmark", run)
        if found and done(known := found.model_dump(mode="json")):
            return known
        time.sleep(LOOK_SECONDS)
    raise AssertionError(f"run {run} did not get there in {seconds} s: {found}")


def wait_for(project: Path, run: str, *statuses: str, seconds: float = 600) -> dict[str, Any]:
    """The run once it has one of the statuses."""
    return wait_until(project, run, lambda known: known["status"] in statuses, seconds)
