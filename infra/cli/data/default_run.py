"""Run that a command about data is about: a named one, or the newest that has finished a given stage."""

from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.runs import journal
from tasks.runs.run import require_not_cleaned, run_layout


def layout_of_run(root: Path, run: str | None, stage: str) -> Layout:
    """Return the layout of a run, by default of the newest one that has finished a stage.

    Raises:
        InputError: No run has finished this stage.
        Refused: The files of the named run were removed by `hallmark clean`.
    """
    if run is None:
        return _newest_run_layout(root, stage)
    layout = run_layout(root, run)
    require_not_cleaned(layout)
    return layout


def _newest_run_layout(root: Path, stage: str) -> Layout:
    state = root.resolve() / ".hallmark"
    for line in reversed(journal.read_journals(state)):
        layout = Layout(state / "runs" / line.run)
        if (layout.artefacts(stage) / "result.json").exists():
            return layout
    raise InputError(f"no run here has been through `{stage}`; start one with `hallmark run --as ID`")
