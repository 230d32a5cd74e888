"""Progress in a form that a program reads; tracking that never stops a training."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.core.layout import Layout
from tasks.stages.train import watch
from tasks.stages.train.desk import SAID
from tasks.stages.train.tracking import Tracker, tracking_uri

POINTS = [
    {"step": step, "loss": 1 / step, "lr": 0.1, "tokens": 100, "targets": 10, "seconds": 0.5} for step in range(1, 5)
]
TOLD = watch.Plan(8, {"lora_rank": 4}, {"hallmark.data": "d1"})


def put(record: Path, points: list[dict[str, Any]]) -> None:
    record.write_text("".join(json.dumps(point) + "\n" for point in points))


class Deaf(Tracker):
    """A tracker without a run: what it is told goes nowhere."""

    def start(self, params: Any, tags: Any) -> None:
        pass


@pytest.fixture(scope="module")
def layout(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Where MLflow has its tables."""
    found = Layout(tmp_path_factory.mktemp("tracked"))
    shutil.copytree(tables, found.state / "mlflow")
    return found


@pytest.fixture
def tracker(layout: Layout, request: pytest.FixtureRequest) -> Tracker:
    return Tracker(layout, request.node.name)


@pytest.fixture
def client(layout: Layout) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri(layout))


def test_the_progress_line_says_where_training_stands() -> None:
    assert watch.standing(POINTS, 8) == "loss 0.250 200 tok/s eta 2s"
    assert watch.standing(POINTS, 1000) == "loss 0.250 200 tok/s eta 8m18s"
    looked_at = [POINTS[0], {**POINTS[1], "look_seconds": 3.0, "validation_loss": 0.5}, *POINTS[2:]]
    assert watch.standing(looked_at, 8) == "loss 0.250 200 tok/s eta 5s, validation 0.500, best 0.500 after step 2"


def test_the_last_step_is_not_the_end_of_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The weights are yet to be written: of a large model that takes minutes."""
    record, plan = tmp_path / "record.jsonl", watch.Plan(4, {}, {})
    follower = watch.Follower(record, plan, Deaf(Layout(tmp_path), "tiny"))
    put(record, POINTS)
    follower.report()
    assert capsys.readouterr().out == "progress train saving the weights after 4 steps\n"
    follower.ended.set()
    follower.follow()
    assert capsys.readouterr().out == "trained 4 of 4 steps, loss 0.250\n"


def test_speed_counts_only_what_this_process_timed() -> None:
    resumed = [{key: value for key, value in point.items() if key != "seconds"} for point in POINTS]
    assert watch.speed(resumed + POINTS) == 200
    assert watch.speed(resumed) == 0
    assert watch.standing(resumed, 8).endswith("loss 0.250 0 tok/s eta 0s")


def test_a_line_still_being_written_is_left_for_later(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    put(record, POINTS)
    record.write_text(record.read_text() + '{"step": 5, "lo')
    assert watch.read_record(record) == POINTS


def test_a_report_comes_only_with_news_and_says_where_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.jsonl"
    follower = watch.Follower(record, TOLD, Deaf(Layout(tmp_path), "tiny"))
    follower.report()
    (tmp_path / SAID).write_text("a checkpoint is damaged\nhalf a li")
    put(record, [{"step": 1, "loss": 1.0, "lr": 0.1, "tokens": 100, "targets": 10}, *POINTS[1:]])
    follower.report()
    follower.report()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "a checkpoint is damaged",
        "progress train going on from the checkpoint of step 1",
        "progress train 4/8 loss 0.250 200 tok/s eta 2s",
    ]


def test_a_report_that_takes_long_comes_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = [0.0], list[float]()
    follower = watch.Follower(tmp_path / "record.jsonl", TOLD, Deaf(Layout(tmp_path), "tiny"))

    def report() -> None:
        now[0] += 3.0

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 2

    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(follower, "report", report)
    monkeypatch.setattr(follower, "ended", SimpleNamespace(wait=wait))
    follower.follow()
    assert waits == [watch.EVERY_SECONDS, pytest.approx(3.0 / watch.SHARE)]


def test_after_a_lost_worker_it_reports_on_what_goes_on(
    tracker: Tracker, client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record is away, begins with a checkpoint's steps, and grows. MLflow has each step once, with the newest of
    what was lost."""
    record, lost = tmp_path / "record.jsonl", [0.0]
    follower = watch.Follower(record, watch.Plan(8, {}, {}, lambda: lost[0]), tracker)
    tracker.start({}, {})
    kept = [{name: value for name, value in point.items() if name != "seconds"} for point in POINTS[:2]]
    for points in (POINTS[:3], [], kept, [*kept, *POINTS[2:3]], [*kept, *POINTS[2:]]):
        put(record, points)
        follower.report()
        lost[0] = 12.5
    assert capsys.readouterr().out.splitlines() == [
        "progress train 3/8 loss 0.333 200 tok/s eta 2s",
        "progress train going on from the checkpoint of step 2",
        "progress train 3/8 loss 0.333 200 tok/s eta 2s",
        "progress train 4/8 loss 0.250 200 tok/s eta 2s",
    ]
    run = str(tracker.run_id)
    assert [point.step for point in client.get_metric_history(run, "loss")] == [1, 2, 3, 4]
    assert client.get_run(run).data.metrics["seconds_lost"] == 12.5


@pytest.mark.parametrize(("fails", "status"), [(False, "FINISHED"), (True, "FAILED")])
def test_a_training_is_tracked_to_its_end(
    layout: Layout, tracker: Tracker, client: Any, tmp_path: Path, fails: bool, status: str
) -> None:
    record = tmp_path / "record.jsonl"
    put(record, POINTS)
    try:
        with watch.watching(record, TOLD, tracker):
            if fails:
                raise RuntimeError
    except RuntimeError:
        assert fails
    run = client.get_run(str(tracker.run_id))
    assert run.info.status == status
    assert run.data.params == {"lora_rank": "4"}
    assert run.data.tags["hallmark.data"] == "d1"
    losses = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in losses] == [(point["step"], point["loss"]) for point in POINTS]
    assert run.data.metrics["tokens_per_second"] == 200
    assert run.info.artifact_uri.startswith(layout.state.as_uri())


def test_mlflow_shows_what_the_steps_took(tracker: Tracker, client: Any, tmp_path: Path) -> None:
    """Where a checkpoint held a step, or a device's peak is unknown, it shows what there is."""
    took = {"positions": 125, "peak_bytes": 2e9, "mfu": 0.25, "grad_norm": 0.5}
    points = [{key: value for key, value in POINTS[0].items() if key != "seconds"}, {**POINTS[1], **took}]
    lost = iter([0.0, 12.5])
    record = tmp_path / "record.jsonl"
    follower = watch.Follower(record, watch.Plan(8, {}, {}, lambda: next(lost)), tracker)
    tracker.start({}, {})
    for upto in (1, 2):
        put(record, points[:upto])
        follower.report()
    run = str(tracker.run_id)

    def curve(name: str) -> list[tuple[int, float]]:
        return [(point.step, point.value) for point in client.get_metric_history(run, name)]

    assert curve("seconds_lost") == [(1, 0), (2, 12.5)]
    assert curve("fill") == [(2, 0.8)] and curve("mfu") == [(2, 0.25)] and curve("gradient_norm") == [(2, 0.5)]
    assert curve("peak_memory_gb") == [(2, 2)] and curve("tokens_per_second") == [(2, 200)]


def test_in_a_run_the_curve_joins_the_runs_own_and_says_no_step_twice(layout: Layout, client: Any) -> None:
    """As after a kill: a training that goes on reports its curve from the first step again."""
    worktree = Layout(layout.state / "runs" / "20260303-0300")
    worktree.root.mkdir(parents=True)
    for upto in (2, 4):
        tracker = Tracker(worktree, "tiny")
        tracker.start({"lora_rank": 4}, {"hallmark.data": "d1"})
        tracker.log(POINTS[:upto])
        tracker.finish("FINISHED")
    (run,) = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    assert (run.info.run_name, run.data.tags["hallmark.run"]) == ("20260303-0300", "20260303-0300")
    assert run.info.status == "RUNNING", "the run goes on"
    assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == [1, 2, 3, 4]


def test_without_a_server_training_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    tracker, record = Tracker(Layout(tmp_path), "tiny"), tmp_path / "record.jsonl"
    put(record, POINTS)
    with watch.watching(record, TOLD, tracker):
        pass
    told = capsys.readouterr().out
    assert told.count("training goes on untracked") == 1
    assert "progress train 4/8" in told
    assert tracker.run_id is None
