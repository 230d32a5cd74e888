"""Pages that a run made, as they lie in its folder: the evaluation report and the Data Docs."""

from pathlib import Path

from infra.console.site import Here
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.runs.request import checked_run_id

SHOWN = (".html", ".css", ".png", ".svg", ".woff", ".woff2")
"""Kinds of files that Data Docs are made of."""


def report_file(here: Here, run: str) -> Path:
    """Raises InputError where the run has none yet."""
    layout = _layout(here, run)
    for path in (layout.root / "measured" / "report.html", layout.stage("evaluate") / "report.html"):
        if path.is_file():
            return path
    raise InputError(f"run {run} has no evaluation report yet")


def docs_file(here: Here, run: str, path: str) -> Path:
    """A file of the Data Docs; their first page for an empty path. Raises InputError for what is none of theirs."""
    folder = (_layout(here, run).stage("validate") / "docs").resolve()
    if not path:
        path = next((str(each.relative_to(folder)) for each in sorted(folder.glob("**/index.html"))), "index.html")
    try:
        wanted = (folder / path).resolve()
        if wanted.is_relative_to(folder) and wanted.is_file() and wanted.suffix in SHOWN:
            return wanted
    except (ValueError, OSError):  # of a zero byte, and of a name longer than any
        pass
    raise InputError(f"run {run} has no such page in its Data Docs")


def _layout(here: Here, run: str) -> Layout:
    return Layout(here.state / "runs" / checked_run_id(run))
