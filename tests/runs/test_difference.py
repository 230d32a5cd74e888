"""What differs between two runs: the second is a copy of the first, and each test changes what it is about."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.runs import journal
from tasks.runs.journal import GateState, Journal
from tasks.runs.reporting import difference, paired_comparison
from tasks.runs.reporting.difference import RunDifference
from tests import whole_run
from tests.checkouts import Checkouts
from tests.in_process import hallmark
from tests.tiny_project import git

FIRST, SECOND = whole_run.RUN, "20260102-000000-beef"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    project = checkouts.released(tmp_path_factory.mktemp("once") / "project")
    note(project, FIRST, "promoted", release="tiny-1")
    return project


def note(project: Path, run: str, status: journal.RunStatus, **more: Any) -> None:
    known = Journal(run=run, requested_by="ml-engineer", use_case="tiny", status=status, **more)
    journal.write_journal(project / ".hallmark", known)


@pytest.fixture
def second(once: Path) -> Any:
    """The worktree of the second run."""
    runs = once / ".hallmark" / "runs"
    # What DVC leaves is not to be written to; a copy of its content is.
    shutil.copytree(runs / FIRST, runs / SECOND, symlinks=True, copy_function=shutil.copyfile)
    note(once, SECOND, "failed", gates={"data": GateState(state="rejected")})
    git(once, "update-ref", f"refs/hallmark/runs/{SECOND}", f"refs/hallmark/runs/{FIRST}")
    yield Layout(runs / SECOND)
    shutil.rmtree(runs / SECOND)


def compare(project: Path, before: str = FIRST, now: str = SECOND) -> RunDifference:
    return difference.compare_runs(project, before, now)[0]


def change(path: Path, how: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(how(pq.read_table(path)), path)


def test_a_run_differs_from_itself_in_nothing(once: Path) -> None:
    found = compare(once, FIRST, FIRST)
    nothing = (found.parameters, found.digests, found.made_with, found.code, found.outcome, found.lacks)
    assert not any(nothing) and found.same_test
    assert found.paired and (found.paired.comparison.p, found.paired.comparison.verdict) == (1, "undecided")
    assert "evaluate.exact_match" in found.figures and "train.final_loss" in found.figures


def test_parameters_gates_and_answers_that_differ_are_told(once: Path, second: Layout) -> None:
    second.params_path.write_text(second.params_path.read_text().replace("epochs: 1", "epochs: 3"))
    answer(second, lambda number: True)
    answer(Layout(second.root.parent / FIRST), lambda number: number > 5)
    found = compare(once)
    assert found.paired and "the second run is better" in paired_comparison.comparison_sentences(found.paired)
    assert {name: (it.before, it.now) for name, it in found.parameters.items()} == {"training.epochs": (1, 3)}
    assert (found.outcome["data gate"].before, found.outcome["data gate"].now) == (None, "rejected")
    assert found.paired and found.paired.by == "id"
    it = found.paired.comparison
    assert (it.rows, it.gained, it.lost, it.verdict) == (rows(second), 6, 0, "better")
    assert it.p == pytest.approx(2 * 0.5**6) and it.gain.low > 0


def rows(layout: Layout) -> int:
    return pq.read_metadata(layout.artefacts("split") / "test.parquet").num_rows


def answer(layout: Layout, right: Callable[[int], bool]) -> None:
    def how(table: pa.Table) -> pa.Table:
        place = table.column_names.index("candidate_right")
        return table.set_column(place, "candidate_right", pa.array([right(n) for n in range(len(table))]))

    path = layout.artefacts("evaluate") / "examples.parquet"
    path.unlink() if path.is_symlink() else path.chmod(0o600)
    change(path, how)


def test_rows_with_other_ids_are_found_by_what_they_say(once: Path, second: Layout) -> None:
    """As where a row was put in above them; two of the rows are gone."""

    def renamed(table: pa.Table) -> pa.Table:
        others = pa.array([f"{'f' * 60}{number:04}" for number in range(len(table))])
        return table.set_column(table.column_names.index("record_id"), "record_id", others).slice(2)

    change(second.artefacts("split") / "test.parquet", renamed)
    change(second.artefacts("evaluate") / "examples.parquet", renamed)
    manifest = second.artefacts("split") / "manifest.json"
    said = json.loads(manifest.read_text())
    said["digests"]["test"] = "f" * 64
    manifest.write_text(json.dumps(said))
    found = compare(once)
    assert not found.same_test and found.paired and found.paired.by == "text"
    assert (found.paired.only_before, found.paired.only_now) == (2, 0)
    assert found.paired.comparison.rows == rows(second)
    assert found.records and found.records.how == "text" and found.records.sources["messages"].removed == 2
    assert "test rows" in found.digests


def test_other_rules_for_a_right_answer_are_no_comparison(once: Path, second: Layout) -> None:
    path = second.artefacts("evaluate") / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"target": "label", "label_field": None}))
    found = compare(once)
    assert found.paired is None
    assert found.lacks[-1].startswith("paired test: they judge answers by other rules: target json, field intent")


def test_a_run_that_stopped_early_says_what_it_lacks(once: Path, second: Layout) -> None:
    shutil.rmtree(second.artefacts("evaluate"))
    found = compare(once)
    assert found.data and found.paired is None and not found.now.evaluated
    assert found.lacks == [f"run {SECOND} has no evaluation (failed): it has not been through that stage"]
    assert found.figures["evaluate.exact_match"].now is None
    shutil.rmtree(second.artefacts("split"))
    found = compare(once)
    assert found.data is None and "has no dataset" in found.lacks[0]


def test_what_is_not_here_or_torn_is_an_error_in_words(once: Path, second: Layout) -> None:
    with pytest.raises(InputError, match=r"there is no run 'none' here"):
        compare(once, FIRST, "none")
    note(once, "early", "failed")
    with pytest.raises(InputError, match="run early has no worktree here"):
        compare(once, FIRST, "early")
    (second.artefacts("evaluate") / "examples.parquet").write_bytes(b"torn")
    with pytest.raises(InputError, match="cannot be read"):
        compare(once)
    (second.artefacts("evaluate") / "result.json").write_text("{")
    with pytest.raises(InputError, match=r"result.json: expected JSON with a `facts` mapping"):
        compare(once)


def test_the_command_prints_tables_or_a_document(once: Path, second: Layout) -> None:
    second.params_path.write_text(second.params_path.read_text().replace("epochs: 1", "epochs: 3"))
    told = hallmark(once, "runs", "diff", FIRST, "beef")
    assert f"from run {FIRST} (promoted) to {SECOND} (failed)" in told
    assert f"compared with the dataset of run {FIRST}" in told
    assert "training.epochs" in told and "rows were answered by both" in told and "McNemar's exact p = 1" in told
    document = json.loads(hallmark(once, "runs", "diff", FIRST, SECOND, "--json"))
    assert document["parameters"]["training.epochs"] == {"before": 1, "now": 3}


def test_a_release_and_a_run_are_compared_in_what_they_answered(once: Path, second: Layout) -> None:
    answer(second, lambda number: True)
    answer(Layout(second.root.parent / FIRST), lambda number: number > 5)
    told = hallmark(once, "evaluate", "compare", "tiny-1", "beef")
    assert f"run {FIRST} (promoted), then run {SECOND} (failed)" in told
    assert "the second run is better" in told and "DATA" not in told
    document = json.loads(hallmark(once, "evaluate", "compare", "beef", "tiny-1", "--json"))
    assert (document["before"]["run"], document["paired"]["comparison"]["verdict"]) == (SECOND, "worse")
    shutil.move(second.root.parent / FIRST, second.root.parent / "away")
    try:
        told = hallmark(once, "evaluate", "compare", "tiny-1", "beef", code=2)
    finally:
        shutil.move(second.root.parent / "away", second.root.parent / FIRST)
    assert f"run {FIRST}, which made tiny-1, is not on this machine" in told
