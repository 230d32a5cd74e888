"""Where a run stands, as `hallmark status RUN --json` says it, without a process for each look."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.runs.summary import summarise
from tests import patience

LOOK_SECONDS = 0.2


def status(project: Path, run: str) -> dict[str, Any]:
    """Fails where there is no such run."""
    found = summarise(project / ".hallmark", run)
    assert found is not None, f"there is no run {run}"
    return found.model_dump(mode="json")


def wait_until(
    project: Path, run: str, done: Callable[[dict[str, Any]], object], seconds: float = 300
) -> dict[str, Any]:
    """The run as soon as `done` says so of it; it may have no journal yet."""

    def look() -> dict[str, Any] | None:
        found = summarise(project / ".hallmark", run)
        return known if found and done(known := found.model_dump(mode="json")) else None

    found = patience.wait_until(
        look, f"run {run} to get there", seconds=seconds, every=LOOK_SECONDS,
        saw=lambda: summarise(project / ".hallmark", run),
    )  # fmt: skip
    assert found is not None
    return found


def wait_for(project: Path, run: str, *statuses: str) -> dict[str, Any]:
    """The run once it has one of the statuses."""
    return wait_until(project, run, lambda known: known["status"] in statuses)
