"""Progress in a form that a program reads, and the points of the curve while it grows."""

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.core.layout import Layout
from tasks.stages.train import log_follower
from tasks.stages.train.coordinator import USER_LINES_FILE
from tasks.stages.train.curve_points import CurvePointsWriter

POINTS = [
    {"step": step, "loss": 1 / step, "lr": 0.1, "tokens": 100, "targets": 10, "seconds": 0.5} for step in range(1, 5)
]
PLAN = log_follower.TrainingPlan(8)


def put(record: Path, points: list[dict[str, Any]]) -> None:
    record.write_text("".join(json.dumps(point) + "\n" for point in points))


@pytest.fixture
def points(tmp_path: Path) -> CurvePointsWriter:
    return CurvePointsWriter(Layout(tmp_path))


def told(points: CurvePointsWriter, *names: str) -> list[list[Any]]:
    """Of each point in turn."""
    lines = map(json.loads, points.path.read_text().splitlines())
    return [[line.get(name) for name in names] for line in lines]


def test_the_progress_line_says_where_training_stands() -> None:
    assert log_follower.progress_line(POINTS, 8) == "loss 0.250 200 tok/s eta 2 s"
    assert log_follower.progress_line(POINTS, 1000) == "loss 0.250 200 tok/s eta 8 min 18 s"
    looked_at = [POINTS[0], {**POINTS[1], "look_seconds": 3.0, "validation_loss": 0.5}, *POINTS[2:]]
    assert (
        log_follower.progress_line(looked_at, 8)
        == "loss 0.250 200 tok/s eta 5 s, validation 0.500, best 0.500 after step 2"
    )


def test_the_last_step_is_not_the_end_of_the_work(
    points: CurvePointsWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The weights are yet to be written: of a large model that takes minutes."""
    record = tmp_path / "record.jsonl"
    follower = log_follower.LogFollower(record, log_follower.TrainingPlan(4), points)
    put(record, POINTS)
    follower.report()
    assert capsys.readouterr().out == "progress train saving the weights after 4 steps\n"
    follower.ended.set()
    follower.follow()
    assert capsys.readouterr().out == "trained 4 of 4 steps, loss 0.250\n"


def test_speed_counts_only_what_this_process_timed() -> None:
    resumed = [{key: value for key, value in point.items() if key != "seconds"} for point in POINTS]
    assert log_follower.tokens_per_second(resumed + POINTS) == 200
    assert log_follower.tokens_per_second(resumed) == 0
    assert log_follower.progress_line(resumed, 8).endswith("loss 0.250 0 tok/s eta 0 s")


def test_a_line_still_being_written_is_left_for_later(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    put(record, POINTS)
    record.write_text(record.read_text() + '{"step": 5, "lo')
    assert log_follower.read_log(record) == POINTS


def test_a_report_comes_only_with_news_and_says_where_it_goes_on(
    points: CurvePointsWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.jsonl"
    follower = log_follower.LogFollower(record, PLAN, points)
    follower.report()
    (tmp_path / USER_LINES_FILE).write_text("a checkpoint is damaged\nhalf a li")
    put(record, [{"step": 1, "loss": 1.0, "lr": 0.1, "tokens": 100, "targets": 10}, *POINTS[1:]])
    follower.report()
    follower.report()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "a checkpoint is damaged",
        "progress train going on from the checkpoint of step 1",
        "progress train 4/8 loss 0.250 200 tok/s eta 2 s",
    ]


def test_a_report_that_takes_long_comes_seldom(
    points: CurvePointsWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, waits = [0.0], list[float]()
    follower = log_follower.LogFollower(tmp_path / "record.jsonl", PLAN, points)

    def report() -> None:
        now[0] += 3.0

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 2

    monkeypatch.setattr(log_follower, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(follower, "report", report)
    monkeypatch.setattr(follower, "ended", SimpleNamespace(wait=wait))
    follower.follow()
    assert waits == [log_follower.REPORT_INTERVAL_SECONDS, pytest.approx(3.0 / log_follower.MAX_REPORT_SHARE)]


def test_after_a_lost_worker_it_reports_on_what_goes_on(
    points: CurvePointsWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record is away, begins with a checkpoint's steps, and grows. Each step is written once, with the newest of
    what was lost."""
    record, lost = tmp_path / "record.jsonl", [0.0]
    follower = log_follower.LogFollower(record, log_follower.TrainingPlan(8, lambda: lost[0]), points)
    kept = [{name: value for name, value in point.items() if name != "seconds"} for point in POINTS[:2]]
    for now in (POINTS[:3], [], kept, [*kept, *POINTS[2:3]], [*kept, *POINTS[2:]]):
        put(record, now)
        follower.report()
        lost[0] = 12.5
    assert capsys.readouterr().out.splitlines() == [
        "progress train 3/8 loss 0.333 200 tok/s eta 2.5 s",
        "progress train going on from the checkpoint of step 2",
        "progress train 3/8 loss 0.333 200 tok/s eta 2.5 s",
        "progress train 4/8 loss 0.250 200 tok/s eta 2 s",
    ]
    assert told(points, "step", "seconds_lost") == [[1, 0], [2, 0], [3, 0], [4, 12.5]]


@pytest.mark.parametrize("fails", [False, True])
def test_the_points_are_written_to_the_end(points: CurvePointsWriter, tmp_path: Path, fails: bool) -> None:
    record = tmp_path / "record.jsonl"
    put(record, POINTS)
    with contextlib.suppress(RuntimeError), log_follower.report_progress(record, PLAN, points):
        if fails:
            raise RuntimeError
    assert told(points, "step", "loss") == [[point["step"], point["loss"]] for point in POINTS]


def test_a_training_that_is_begun_again_writes_its_points_anew(points: CurvePointsWriter) -> None:
    points.add(POINTS[:2])
    again = CurvePointsWriter(Layout(points.path.parents[2]))
    again.add(POINTS)
    again.add(POINTS)
    assert again.path == points.path and told(again, "step") == [[1], [2], [3], [4]]
