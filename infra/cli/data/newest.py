"""Which run is meant where none is named."""

from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.runs import journal


def newest(root: Path, stage: str) -> Layout:
    """The newest run that has been through a stage. Raises InputError where none has."""
    state = root.resolve() / ".hallmark"
    for line in reversed(journal.read_all(state)):
        layout = Layout(state / "runs" / line.run)
        if (layout.stage(stage) / "result.json").exists():
            return layout
    raise InputError(f"no run here has been through `{stage}`; start one with `hallmark run --as ID`")
