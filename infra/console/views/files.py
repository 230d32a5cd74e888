"""Pages that a run made, as they lie in its folder: the evaluation report and the Data Docs.

What stands beside a decision is compared with the digest in the gate's evidence. The report with latency and cost is of
one machine's clock and has none.
"""

from pathlib import Path

from infra.console.site import Here
from infra.console.views import hearing, looked_at
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.policy.people import Person
from tasks.runs.request import checked_run_id
from tasks.trust.gate_statement import GateName

SHOWN = (".html", ".css", ".png", ".svg", ".woff", ".woff2")
"""Kinds of files that Data Docs are made of."""


def report_file(here: Here, person: Person, run: str) -> Path:
    """Raises InputError where the run has none yet, Refused where it is not the one that its gate looked at, and where
    none did and it is not for this person."""
    layout = layout_here(here, run)
    path = layout.stage("evaluate") / "report.html"
    if not path.is_file():
        raise InputError(f"run {run} has no evaluation report yet")
    _require(here, person, layout, "evaluation", path)
    return path


def measured_file(here: Here, person: Person, run: str) -> Path:
    """The report with latency and cost. Raises InputError where the run has none yet, Refused where no gate looked at
    the run's evaluation and it is not for this person."""
    layout = layout_here(here, run)
    path = layout.root / "measured" / "report.html"
    if not path.is_file():
        raise InputError(f"run {run} has measured no latency and cost yet")
    _require(here, person, layout, "evaluation")
    return path


def docs_file(here: Here, person: Person, run: str, path: str) -> Path:
    """A file of the Data Docs; their first page for an empty path.

    Raises InputError for what is none of theirs, Refused as `report_file`.
    """
    layout = layout_here(here, run)
    folder = (layout.stage("validate") / "docs").resolve()
    if not path:
        path = next((str(each.relative_to(folder)) for each in sorted(folder.glob("**/index.html"))), "index.html")
    try:
        wanted = (folder / path).resolve()
        shown = wanted.is_relative_to(folder) and wanted.is_file() and wanted.suffix in SHOWN
    except (ValueError, OSError):  # of a zero byte, and of a name longer than any
        shown = False
    if not shown:
        raise InputError(f"run {run} has no such page in its Data Docs")
    _require(here, person, layout, "data", layout.stage("validate") / "docs" / wanted.relative_to(folder))
    return wanted


def _require(here: Here, person: Person, layout: Layout, gate: GateName, *paths: Path) -> None:
    """Require access to all sources of the run unless the gate compared these files: others may hold any record."""
    if not looked_at.require(here, layout, gate, *paths):
        hearing.require(here, layout, person, "pages")


def layout_here(here: Here, run: str) -> Layout:
    """Raises InputError for what is no run's id."""
    return Layout(here.state / "runs" / checked_run_id(run))
