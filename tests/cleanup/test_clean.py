"""`hallmark clean` removes what no run needs, with an entry in the ledger, and leaves what policy keeps."""

import hashlib
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tasks.cleanup import plan as plans
from tasks.cleanup import removal, run_files, tracked_runs
from tasks.cleanup.removal import Removed
from tasks.core.files import tree_digest
from tasks.core.layout import Layout
from tasks.ledger.ledger import Ledger
from tasks.runs import run_entries, run_list, stage
from tasks.runs.checkout import Checkout
from tasks.runs.journal import Journal, read_journal, write_journal
from tasks.runs.outputs import dvc, dvc_lock
from tasks.runs.outputs.cached_objects import LIST_SUFFIX, CachedObjects
from tasks.runs.outputs.dvc import StageOutcome
from tasks.runs.reporting import mlflow_runs
from tasks.runs.run import Run
from tasks.runs.run_lock import hold_run_lock
from tasks.supervise import record_store
from tests import whole_run
from tests.checkouts import Checkouts
from tests.copies import copy_tree
from tests.editing import edit
from tests.in_process import adopt, hallmark, hallmark_json
from tests.tiny_project import create, git

STAGES = ("ingest", "clean")
OWN = {"data.max_prompt_chars": "60"}
"""Parameters with which no other run was made, so that outputs belong to it alone."""
LATER = timedelta(days=100)


def make_run(project: Path, name: str, status: str = "failed", changes: dict[str, str] | None = None) -> Run:
    """Make a run that ends after its first stages."""
    run = create(project, name, changes=changes or {})
    for each in STAGES:
        whole_run.bring(run, each)
    write_journal(run.layout.state, Journal(run=name, requested_by="x", use_case="tiny", status=status))
    if status not in ("running", "waiting"):
        run_entries.record_end(run.ledger(), name, status, None, None)
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """Runs `old` and `same`, of which the first alone has outputs of its own, and then `new`, which is as `same`."""
    project = checkouts.warm(tmp_path_factory.mktemp("made") / "project")
    for name, changes in (("old", OWN), ("same", {}), ("new", {})):
        make_run(project, name, changes=changes)
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return copy_tree(made, tmp_path / "project")


def advance(monkeypatch: pytest.MonkeyPatch) -> None:
    now = Ledger.now
    monkeypatch.setattr(Ledger, "now", lambda ledger: now(ledger) + LATER)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    advance(monkeypatch)


def bring_all(project: Path, name: str, changes: dict[str, str] | None = None) -> list[StageOutcome]:
    run = create(project, name, changes=changes or {})
    return [whole_run.bring(run, each) for each in STAGES]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def cached(project: Path) -> set[str]:
    cache = project / ".hallmark" / "cache" / "files" / "md5"
    return {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}


def clean(project: Path) -> Removed:
    here = Checkout(project)
    return removal.carry_out(here, plans.make_plan(here), lambda _: None)


def test_before_their_time_nothing_of_them_is_removed(project: Path) -> None:
    before = tree_digest(project / ".hallmark" / "runs")
    told = hallmark_json(project, "clean", "--remove")
    assert (told["runs"], told["bytes"]) == ([], 0)
    assert tree_digest(project / ".hallmark" / "runs") == before
    kept = hallmark_json(project, "clean")["kept"]
    assert kept == {"it ended less than 90 days ago": 2, "the newest of its use case with this status": 1}


def test_without_remove_it_lists_alone(project: Path, later: None) -> None:
    state, kept = project / ".hallmark", ("runs", "cache", "records")
    before = [tree_digest(state / name) for name in kept]
    told = hallmark(project, "clean")
    assert "old" in told and "same" in told and "hallmark clean --remove" in told
    assert [each["run"] for each in hallmark_json(project, "clean")["runs"]] == ["old", "same"]
    assert [tree_digest(state / name) for name in kept] == before


def test_outputs_that_another_run_uses_stay(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, state = cached(project), project / ".hallmark"
    with monkeypatch.context() as patched:
        advance(patched)
        told = hallmark_json(project, "clean", "--remove")
    assert told["runs"] == ["old", "same"] and told["bytes"] > 0
    gone = before - cached(project)
    assert gone, "the outputs of `old` are gone"
    assert [it.cached for it in bring_all(project, "other")] == [True, True], "what `same` and `new` share"
    assert not bring_all(project, "again", OWN)[-1].cached, "and this is computed anew"
    assert cached(project) & gone
    assert not (state / record_store.RECORDS_FOLDER / "runs" / "old").exists()


def test_what_an_audit_reads_of_a_run_stays(project: Path, later: None) -> None:
    layout = Layout(project / ".hallmark" / "runs" / "old")
    stays = {name: (layout.root / name).read_bytes() for name in ("params.yaml", "dvc.lock", "inputs/request.json")}
    clean(project)
    assert names(layout.root) <= run_files.KEPT_NAMES
    assert {name: (layout.root / name).read_bytes() for name in stays} == stays
    assert git(project, "rev-parse", "refs/hallmark/runs/old")
    listed = {each.journal.run: each.damage for each in run_list.list_runs(layout.state).runs}
    assert listed == {"old": "", "same": "", "new": ""}
    shown = hallmark_json(project, "runs", "show", "old")
    assert (shown["status"], shown["cleaned_at"] is None) == ("failed", False)
    assert "its files were removed by `hallmark clean` on " in hallmark(project, "runs", "show", "old")
    (entry,) = Checkout(project).ledger.entries(run_entries.CLEANED_KIND, "old")
    assert entry.body["status"] == "failed" and entry.body["bytes"] > 0
    hallmark(project, "ledger", "verify")


def test_a_run_that_was_cleaned_does_not_go_on(project: Path, later: None) -> None:
    clean(project)
    told = hallmark(project, "run", "--resume", "old", code=1)
    assert "`hallmark clean` removed them on " in told and "start a new run" in told


def test_a_removal_that_is_interrupted_goes_on(project: Path, later: None, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = run_files.remove
    for steps in (0, 1, 9, 3):
        left = [None] * steps

        def interrupted(path: Path, left: list[None] = left) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop()
            remove(path)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(run_files, "remove", interrupted)
            clean(project)
    clean(project)
    here = Checkout(project)
    assert [entry.subject for entry in here.ledger.entries(run_entries.CLEANED_KIND)] == ["old", "same"]
    assert plans.make_plan(here).is_empty()


def promoted_before(project: Path) -> None:
    entry = {"name": "tiny", "version": 1, "environment": "local", "sequence": 1, "previous": None, "run": "old"}
    Checkout(project).ledger.append("promotion.intended", "tiny", entry | {"commit": "0" * 40})


def still_running(project: Path) -> None:
    known = read_journal(project / ".hallmark", "old")
    assert known
    write_journal(project / ".hallmark", known.model_copy(update={"status": "running"}))


def kept_for_ever(project: Path) -> None:
    edit(project / "infra" / "governance" / "policy.yaml", "  limited:\n", "  limited:\n    keep_days: null\n")
    adopt(project)


def kept_for_long(project: Path) -> None:
    edit(project / "infra" / "governance" / "policy.yaml", "  limited:\n", "  limited:\n    keep_days: 400\n")
    adopt(project)


def of_another_tier(project: Path) -> None:
    (project / ".hallmark" / "runs" / "old" / "inputs" / "authority.json").write_text("{")


@pytest.mark.parametrize(
    ("needed", "reason"),
    [
        (promoted_before, "a release was made of it"),
        (still_running, "interrupted: it can go on"),
        (kept_for_ever, "policy keeps runs of risk tier limited"),
        (kept_for_long, "it ended less than 400 days ago"),
        (of_another_tier, "policy has no rule for its risk tier"),
    ],
)
def test_what_is_needed_stays(project: Path, later: None, needed: Callable[[Path], None], reason: str) -> None:
    needed(project)
    layout = Layout(project / ".hallmark" / "runs" / "old")
    before = names(layout.root)
    assert plans.make_plan(Checkout(project)).kept[reason] >= 1
    assert "old" not in clean(project).runs
    assert names(layout.root) == before
    assert is_cached(layout)


def is_cached(layout: Layout, *stages: str) -> bool:
    """Return whether the cache has every file that dvc.lock names as an output of the stages, with its digest."""
    entries = [dvc_lock.read_stage_entry(layout.root, stage) or {} for stage in stages or STAGES]
    cached = CachedObjects(layout.state)
    ids = set[str]().union(*map(cached.ids, entries))
    paths = cached.paths(ids)
    digests = {hashlib.md5(path.read_bytes()).hexdigest() for path in paths}
    return len(ids) > len(entries) and digests == {each.removesuffix(LIST_SUFFIX) for each in ids}


def test_a_run_that_goes_on_after_the_plan_was_made_stays(project: Path, later: None) -> None:
    here = Checkout(project)
    planned = plans.make_plan(here)
    before = names(project / ".hallmark" / "runs" / "old")
    with hold_run_lock(here.state, "old"):
        assert removal.carry_out(here, planned, lambda _: None).runs == ["same"]
    assert names(project / ".hallmark" / "runs" / "old") == before
    assert is_cached(Layout(project / ".hallmark" / "runs" / "old"))


def test_outputs_that_are_removed_while_the_same_are_computed_are_stored_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, repro, before = create(project, "meanwhile", changes=OWN), dvc.repro, cached(project)
    whole_run.bring(run, "ingest")

    def cleaned_meanwhile(*args: object, **kwargs: object) -> StageOutcome:
        outcome = repro(*args, **kwargs)  # type: ignore[arg-type]
        lock = (run.layout.root / "dvc.lock").read_bytes()
        (run.layout.root / "dvc.lock").unlink()  # as it is before DVC has written it
        with monkeypatch.context() as patched:
            advance(patched)
            clean(project)
        (run.layout.root / "dvc.lock").write_bytes(lock)
        assert before - cached(project) and not is_cached(run.layout, "clean")
        return outcome

    worker = stage.load_worker_keys(run.governance(), run.ledger())
    with monkeypatch.context() as patched:
        patched.setattr(stage.dvc, "repro", cleaned_meanwhile)
        stage.provide_outputs(run.layout, "clean", worker, lambda _: None, force=True)
    assert is_cached(run.layout, "clean")


def test_an_experiment_takes_no_place_of_a_governed_run(project: Path, later: None) -> None:
    """The files of the governed run stay, since it is the newest of its use case with this status."""
    make_run(project, "tried", changes={"use_case.risk_tier": "experiment"})
    assert clean(project).runs == ["old", "same"]


def test_commands_about_rows_say_what_became_of_them(project: Path, later: None) -> None:
    clean(project)
    for command in (["quarantine"], ["labels", "--as", "data-owner"], ["conflicts", "--as", "data-owner"]):
        told = hallmark(project, "data", command[0], "old", *command[1:], code=1)
        assert "run old has no files any more: `hallmark clean` removed them" in told


def test_checkpoints_that_nobody_continued_are_removed(project: Path, later: None) -> None:
    folder = project / ".hallmark" / "checkpoints" / "code"
    for name, days in (("old", 30), ("fresh", -50)):
        step = folder / name / "step-000000001"
        step.mkdir(parents=True)
        (step / "state").write_bytes(b"x" * 9000)
        moment = (Checkout(project).ledger.now() - LATER - timedelta(days=days)).timestamp()
        for path in (step / "state", step, folder / name):
            os.utime(path, (moment, moment))
    assert hallmark_json(project, "clean")["checkpoints"]["count"] == 1
    clean(project)
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["fresh"]


def test_answers_of_models_that_nobody_asked_since_are_removed(project: Path, later: None) -> None:
    folder = project / ".hallmark" / "answers" / "code"
    folder.mkdir(parents=True)
    for name, days in (("old", 30), ("fresh", -50)):
        (folder / name).write_bytes(b"{}")
        moment = (Checkout(project).ledger.now() - LATER - timedelta(days=days)).timestamp()
        os.utime(folder / name, (moment, moment))
    clean(project)
    assert [path.name for path in folder.iterdir() if path.suffix != ".lock"] == ["fresh"]


def test_their_records_in_mlflow_are_removed(project: Path, later: None) -> None:
    client = MlflowClient(mlflow_runs.tracking_uri(Layout(project)))
    key = mlflow_runs.find_or_create_experiment(client, "tiny", Layout(project))
    shown = {name: client.create_run(key, tags={mlflow_runs.RUN_TAG: name}).info.run_id for name in ("old", "new")}
    told = hallmark_json(project, "clean", "--remove")
    assert told["mlflow_runs"] == 1 and told["flow_runs"] is None
    assert tracked_runs.delete_tracked_runs(project, {"old"}) == 0
    assert mlflow_runs.find_run(client, key, "new").info.run_id == shown["new"]
    everything = client.search_runs([key], run_view_type=3)
    assert [run.info.run_id for run in everything] == [shown["new"]], "it is gone from the database too"


def test_a_removal_that_ended_between_mark_and_removal_goes_on(tmp_path: Path) -> None:
    client = MlflowClient(mlflow_runs.tracking_uri(Layout(tmp_path)))
    key = mlflow_runs.find_or_create_experiment(client, "tiny", Layout(tmp_path))
    client.delete_run(client.create_run(key, tags={mlflow_runs.RUN_TAG: "old"}).info.run_id)
    assert tracked_runs.delete_tracked_runs(tmp_path, {"old"}) == 1
    assert client.search_runs([key], run_view_type=3) == []


def test_the_same_in_words(project: Path, later: None) -> None:
    told = hallmark(project, "clean", "--remove")
    assert "removed: files of 2 runs" in told and "Prefect is not up" in told
    assert "there is nothing to remove" in hallmark(project, "clean")
    assert json.loads(hallmark(project, "clean", "--json"))["runs"] == []
