"""Plan of a removal: the files that would be removed, and why the rest stays."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tasks.cleanup import cached_outputs, checkpoints, run_files
from tasks.cleanup.cached_outputs import CachedOutputs
from tasks.cleanup.needs import RunNeeds
from tasks.core.layout import Layout
from tasks.runs import journal
from tasks.runs.checkout import Checkout
from tasks.runs.journal import Journal
from tasks.runs.outputs.cached_objects import CachedObjects


class RunToClean(NamedTuple):
    journal: Journal
    paths: list[Path]
    size: int
    """Size of the paths in bytes."""


class Plan(NamedTuple):
    runs: list[RunToClean]
    """Runs with files that are not needed, oldest first."""
    kept: dict[str, int]
    """Number of runs that stay, by reason."""
    cached: CachedOutputs
    """Cached outputs that only runs with unneeded files use."""
    checkpoints: list[Path]
    unfinished_before: datetime | None
    """Time before which the checkpoints were written last; None if policy keeps some for ever."""
    cleaned: list[str]
    """Ids of all runs whose files are not needed, including those that were cleaned before."""

    def is_empty(self) -> bool:
        return not (self.runs or self.cached.paths or self.checkpoints)


def make_plan(here: Checkout) -> Plan:
    known = journal.read_journals(here.state)
    needs = RunNeeds(here.state, here.ledger, here.governance.policy, known)
    reasons = {run.run: "" if run.cleaned_at else needs.reason(run) for run in known}
    unneeded = [run for run in known if not reasons[run.run]]
    before = needs.expiry_of_unfinished_work()
    return Plan(
        runs=[each for run in unneeded if (each := _run_to_clean(here.state, run)).paths],
        kept=dict(Counter(reason for reason in reasons.values() if reason).most_common()),
        cached=find_cached(here.state, [run.run for run in unneeded]),
        checkpoints=checkpoints.find_unused(here.state, before),
        unfinished_before=before,
        cleaned=[run.run for run in unneeded],
    )


def find_cached(state: Path, unneeded: list[str], objects: CachedObjects | None = None) -> CachedOutputs:
    folders = {path.name for path in (state / "runs").glob("*") if (path / "dvc.lock").is_file()}
    return cached_outputs.find_unused(state, unneeded, folders - set(unneeded), objects)


def _run_to_clean(state: Path, run: Journal) -> RunToClean:
    layout = Layout(state / "runs" / run.run)
    paths = run_files.removable_paths(layout) if layout.root.is_dir() else []
    return RunToClean(run, paths, run_files.size_in_bytes(paths))
