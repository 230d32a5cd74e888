"""Default run of commands about data: the newest run that has finished a given stage."""

from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.runs import journal


def newest_run_layout(root: Path, stage: str) -> Layout:
    """Return the layout of the newest run that has finished a stage.

    Raises:
        InputError: No run has finished this stage.
    """
    state = root.resolve() / ".hallmark"
    for line in reversed(journal.read_journals(state)):
        layout = Layout(state / "runs" / line.run)
        if (layout.artefacts(stage) / "result.json").exists():
            return layout
    raise InputError(f"no run here has been through `{stage}`; start one with `hallmark run --as ID`")
