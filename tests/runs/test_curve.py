"""The points of a curve come from a stage: whatever it writes, what is read of it is points."""

import json
import os
from pathlib import Path

import pytest

from tasks.runs.reporting import mlflow_sync, training_curve

GOOD = {"step": 1, "loss": 0.5, "lr": 0.1, "tokens": 10, "seconds": 0.5, "positions": 20, "peak_bytes": 2e9}
STRANGE = [
    b"", b"{}", b"[]", b"1", b"\xff\xfe", b"{" * 3000, b'{"step": 1, "loss": "much", "lr": 0}',
    json.dumps(GOOD | {"step": 0}).encode(), json.dumps(GOOD | {"step": 1.5}).encode(),
    json.dumps(GOOD | {"note": "x" * training_curve.MAX_LINE_BYTES}).encode(),
    json.dumps(GOOD | {"loss": 10**400}).encode(), json.dumps(GOOD | {"step": 10**400}).encode(),
    json.dumps(GOOD | {"loss": float("nan")}).encode(), json.dumps(GOOD | {"grad_norm": float("inf")}).encode(),
    json.dumps(GOOD | {"peak_bytes": 1e300}).encode(),
]  # fmt: skip


@pytest.mark.attack(rights="stage", stopped="of what a training says of its curve only points are shown")
@pytest.mark.parametrize("line", STRANGE, ids=range(len(STRANGE)))
def test_what_is_no_point_is_passed_over(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "points.jsonl"
    path.write_bytes(b"\n".join([json.dumps(GOOD).encode(), line, json.dumps(GOOD | {"step": 2}).encode(), b""]))
    points, offset = training_curve.read_points(path, 0)
    assert [point.step for point in points] == [1, 2] and offset == path.stat().st_size


@pytest.mark.attack(rights="stage", stopped="a name that a stage gives a figure is written so that MLflow takes it")
@pytest.mark.parametrize("given", ["a[b]", "x" * 300, "../../x", "/etc", "a//b", "..", "a\nb", "é"])
def test_any_name_of_a_figure_is_one_that_mlflow_takes(given: str) -> None:
    """One that it refuses would keep all runs behind this one from being shown."""
    from mlflow.utils import validation

    validation._validate_metric_name(mlflow_sync._mlflow_name(f"train.{given}"))


def test_figures_have_mlflows_names() -> None:
    assert dict(training_curve.CurvePoint.model_validate(GOOD).metrics()) == {
        "loss": 0.5, "learning_rate": 0.1, "tokens_per_second": 20, "step_seconds": 0.5, "fill": 0.5,
        "peak_memory_gb": 2,
    }  # fmt: skip


@pytest.mark.attack(rights="stage", stopped="figures of a curve are finite and of the size that figures have")
def test_a_rate_over_almost_no_time_is_not_shown() -> None:
    shown = dict(training_curve.CurvePoint.model_validate(GOOD | {"seconds": 5e-324, "positions": 5e-324}).metrics())
    assert shown == {"loss": 0.5, "learning_rate": 0.1, "step_seconds": 5e-324, "peak_memory_gb": 2}


def test_it_is_read_from_where_it_was_read_to(tmp_path: Path) -> None:
    path, line = tmp_path / "points.jsonl", json.dumps(GOOD)
    path.write_text(f"{line}\n{line[:9]}")
    points, offset = training_curve.read_points(path, 0)
    assert len(points) == 1 and offset == len(line) + 1
    path.write_text(f"{line}\n{json.dumps(GOOD | {'step': 2})}\n")
    points, offset = training_curve.read_points(path, offset)
    assert [point.step for point in points] == [2]
    path.write_text(f"{line}\n")
    points, _ = training_curve.read_points(path, offset)
    assert [point.step for point in points] == [1], "a shorter file is another one"


def test_no_more_is_read_than_a_curve_takes(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    path.touch()
    os.truncate(path, 2**40)
    assert training_curve.read_points(path, 0) == ([], 0)
