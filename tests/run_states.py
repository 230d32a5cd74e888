"""Status of a run as `hallmark runs show RUN --json` prints it, without a process for each query."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.runs.reporting.summary import summarise_run
from tests import patience

LOOK_SECONDS = 0.2


def status(project: Path, run: str) -> dict[str, Any]:
    """Return the status of a run. Fails if there is no such run."""
    found = summarise_run(project / ".hallmark", run)
    assert found is not None, f"there is no run {run}"
    return found.model_dump(mode="json")


def wait_until(project: Path, run: str, done: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Wait until `done` is true for the status of a run, which may have no journal yet, and return the status."""

    def look() -> dict[str, Any]:
        return known if (known := seen()) and done(known) else {}

    def seen() -> dict[str, Any]:
        found = summarise_run(project / ".hallmark", run)
        return found.model_dump(mode="json") if found else {}

    return patience.wait_until(look, f"run {run} to get there", seconds=300, every=LOOK_SECONDS, saw=seen)


def wait_for(project: Path, run: str, *statuses: str) -> dict[str, Any]:
    """Wait until a run has one of the statuses, and return its whole status."""
    return wait_until(project, run, lambda known: known["status"] in statuses)
