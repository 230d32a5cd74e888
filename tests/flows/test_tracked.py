"""MLflow's run of a run: found by its id, with tags, figures and a curve that say what was signed."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from flows.mlflow_updates import LAST_UPDATE_FILE, MlflowSync
from flows.partial_work import PartialFailure
from tasks.core import files
from tasks.core.errors import Unavailable
from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.runs import journal
from tasks.runs.journal import GateState, Journal, StageState
from tasks.runs.reporting import mlflow_sync, training_curve
from tasks.runs.reporting.mlflow_runs import tracking_uri
from tasks.runs.run_lock import hold_run_lock
from tasks.trust.stage_record import SignedRecord
from tests.checkouts import Checkouts
from tests.whole_run import RUN


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.released(tmp_path_factory.mktemp("tracked") / "project")


@pytest.fixture(autouse=True)
def anew(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No MLflow run, and nothing that was shown."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (project / ".hallmark" / LAST_UPDATE_FILE).unlink(missing_ok=True)
    client = MlflowClient(tracking_uri(Layout(project)))
    for run in runs(project):
        client.delete_run(run.info.run_id)


def note(project: Path, status: journal.RunStatus, train: Any = "done", **more: Any) -> None:
    stages = {"split": StageState(state="cached"), "train": StageState(state=train, progress=str(time.monotonic()))}
    known = Journal(run=RUN, requested_by="ml-engineer", use_case="tiny", status=status, stages=stages, **more)
    journal.write_journal(project / ".hallmark", known)


def runs(project: Path) -> list[Any]:
    client = MlflowClient(tracking_uri(Layout(project)))
    known = client.get_experiment_by_name("tiny")
    return list(client.search_runs([known.experiment_id])) if known else []


def test_a_run_is_shown_once_with_what_was_signed_of_it(project: Path) -> None:
    note(project, "promoted", release="tiny-1", gates={"data": GateState(state="passed")})
    tracked = MlflowSync(project)
    assert tracked.update() == [] == tracked.update()
    (shown,) = runs(project)
    assert (shown.info.run_name, shown.info.status) == (RUN, "FINISHED")
    tags = shown.data.tags
    wanted = {"run": RUN, "use_case": "tiny", "tier": "limited", "gate.data": "passed", "release": "tiny-1",
              "stage": "train", "status": "promoted"}  # fmt: skip
    assert {name: tags[f"hallmark.{name}"] for name in wanted} == wanted and len(tags["hallmark.data"]) == 64
    said = read_json(project / ".hallmark" / "runs" / RUN / "artefacts" / "evaluate" / "result.json")["facts"]
    exact, figures = said["exact_match"], shown.data.metrics
    assert {end: figures[f"evaluate.exact_match{end}"] for end in ("", ".low", ".high")} == {
        "": exact["value"], ".low": exact["low"], ".high": exact["high"]
    }  # fmt: skip
    assert figures["measured.predict.latency_p95_ms"] > 0 and shown.data.params["training.epochs"] == "1"
    steps = [step for step, _ in losses(project)]
    assert steps == list(range(1, len(steps) + 1)) and steps, "of the training in the cache"


def test_it_follows_a_run_from_its_training_to_its_end(project: Path) -> None:
    """The curve comes while the training goes on, each step once; a process that is killed ends it, the next
    goes on."""
    tracked, points = MlflowSync(project), project / ".hallmark" / "runs" / RUN / training_curve.CURVE_PATH
    signed = points.read_bytes()
    try:
        with hold_run_lock(project / ".hallmark", RUN):
            note(project, "running", train="running")
            for upto in (1, 2, 3):
                put(points, upto)
                tracked.update()
            MlflowSync(project).update()  # another watch
            (shown,) = runs(project)
            assert (shown.info.status, shown.data.tags["hallmark.status"]) == ("RUNNING", "running")
            assert losses(project) == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
            assert shown.data.metrics["tokens_per_second"] == 200
        tracked.update()
        assert [run.info.status for run in runs(project)] == ["KILLED"]
        note(project, "waiting", gates={"evaluation": GateState(state="waiting")})
        tracked.update()
        (shown,) = runs(project)
        assert (shown.info.status, shown.data.tags["hallmark.gate.evaluation"]) == ("RUNNING", "waiting")
        assert losses(project)[:3] == [(1, 1.0), (2, 0.5), (3, 1 / 3)], "the curve that it sent stays"
    finally:
        points.unlink()
        points.write_bytes(signed)


def put(points: Path, upto: int) -> None:
    """What a training has written after a step, and half of the next."""
    points.unlink(missing_ok=True)
    lines = [{"step": n, "loss": 1 / n, "lr": 0.1, "tokens": 100, "seconds": 0.5} for n in range(1, upto + 1)]
    points.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"step": 9, "lo')


def losses(project: Path) -> list[tuple[int, float]]:
    (shown,) = runs(project)
    client = MlflowClient(tracking_uri(Layout(project)))
    return [(it.step, it.value) for it in client.get_metric_history(shown.info.run_id, "loss")]


def test_a_file_that_changed_since_it_was_signed_shows_nothing(project: Path) -> None:
    path = project / ".hallmark" / "runs" / RUN / "artefacts" / "evaluate" / "result.json"
    before = path.read_bytes()
    path.unlink()
    path.write_bytes(before.replace(b"exact_match", b"exact_match2"))
    try:
        note(project, "promoted")
        MlflowSync(project).update()
        (shown,) = runs(project)
        assert not [name for name in shown.data.metrics if name.startswith("evaluate.")]
        assert "train.final_loss" in shown.data.metrics
    finally:
        path.write_bytes(before)


@pytest.mark.attack(
    rights="stage", stopped="the watch reads a file of a run up to a bound, and goes on to the next run"
)
@pytest.mark.parametrize(
    "odd", [b"[" * 10**6, b"[" + b"[]," * 2_000_000 + b"[]]", b'{"facts": 1}', b"{}" + b" " * 2**26]
)
def test_an_odd_file_of_a_run_keeps_no_other_back(project: Path, odd: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage's record is of whatever the stage left; a file beyond the bound is not even digested."""
    path = project / ".hallmark" / "runs" / RUN / "artefacts" / "evaluate" / "result.json"
    before, digested = path.read_bytes(), []
    path.unlink()
    path.write_bytes(odd)
    signed = mlflow_sync.record_chain.records_of_run

    def records(*given: Any) -> dict[str, SignedRecord]:
        found = signed(*given)
        outputs = found["evaluate"].outputs | {"artefacts/evaluate/result.json": files.sha256_bytes(odd)}
        return found | {"evaluate": found["evaluate"].model_copy(update={"outputs": outputs})}

    def sha256_file(path: Path) -> str:
        digested.append(path.stat().st_size)
        return files.sha256_bytes(path.read_bytes())

    monkeypatch.setattr(mlflow_sync.record_chain, "records_of_run", records)
    monkeypatch.setattr(mlflow_sync.files, "sha256_file", sha256_file)
    try:
        note(project, "promoted")
        if len(odd) > 2**26:
            assert MlflowSync(project).update() == []
        else:
            with pytest.raises(PartialFailure, match=f"run {RUN} is not shown in MLflow: {path}: expected JSON"):
                MlflowSync(project).update()
        assert max(digested) <= 2**26
    finally:
        path.write_bytes(before)


def test_mlflow_that_is_away_is_told_and_shown_the_run_later(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note(project, "promoted")
    tracked = MlflowSync(project)
    with monkeypatch.context() as away:
        away.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        away.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(Unavailable, match=r"MLflow at http://127\.0\.0\.1:9 cannot be used"):
            tracked.update()
    tracked.update()
    assert len(runs(project)) == 1


def test_a_run_before_its_training_is_none_and_one_that_is_broken_keeps_no_other_back(project: Path) -> None:
    other = Journal(run="broken", requested_by="x", status="failed", stages={"train": StageState(state="failed")})
    early = Journal(run="early", requested_by="x", use_case="tiny", status="failed")
    for known in (other, early):
        journal.write_journal(project / ".hallmark", known)
    os.utime(journal.journal_path(project / ".hallmark", "broken"), (1, 1))
    note(project, "promoted")
    with pytest.raises(PartialFailure, match="run broken is not shown in MLflow"):
        MlflowSync(project).update()
    assert [run.info.run_name for run in runs(project)] == [RUN]
    assert MlflowSync(project).update() == [], "it is tried again when it changes"
