"""The journals of all runs, in the order in which the runs were made."""

import os
from pathlib import Path

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.runs import journal
from tasks.runs.journal import Journal


def made(state: Path, run: str, at: int, resolved: bool = True) -> None:
    journal.write(state, Journal(run=run, requested_by="ml-engineer"))
    file = Layout(state / "runs" / run).sources if resolved else journal.path(state, run)
    if resolved:
        write_json(file, {})
    os.utime(file, (at, at))


def test_the_newest_run_is_the_one_made_last_whatever_its_name(tmp_path: Path) -> None:
    made(tmp_path, "zz", 1)
    made(tmp_path, "20260303-120000-a1b2", 3)
    made(tmp_path, "broken-off", 2, resolved=False)
    journal.write(tmp_path, Journal(run="zz", requested_by="ml-engineer", status="failed"))
    assert [line.run for line in journal.read_all(tmp_path)] == ["zz", "broken-off", "20260303-120000-a1b2"]
