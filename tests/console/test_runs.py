"""What the pages of runs and releases say besides stages and gates: files, loss, cost, champions over time, the log."""

import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from infra.console.views import runs, training
from infra.console.views.runs import RunRow
from infra.http.rate_limits import RateLimits, TooManyRequests
from tasks.core.errors import Refused
from tasks.core.files import sha256_file
from tasks.core.layout import Layout
from tests.console.conftest import WAITING
from tests.console.visits import console_of, reader_of
from tests.editing import changed
from tests.whole_run import RUN


def reader(app: FastAPI, person: str = "data-owner") -> TestClient:
    return reader_of(app, person)


def test_every_file_that_a_stage_left_is_listed_as_it_was_signed(app: FastAPI, lived_in: Path) -> None:
    said = reader(app).get(f"/api/runs/{RUN}/artefacts?most=10000").json()
    layout = Layout(lived_in / ".hallmark" / "runs" / RUN)
    files = {row["path"]: row for row in said["rows"]}
    assert len(files) == said["total"] == sum(each["files"] for each in said["stages"])
    for name in ("artefacts/split/train.parquet", "artefacts/train/curve.json"):
        assert files[name]["sha256"] == sha256_file(layout.root / name)
        assert files[name]["bytes"] == (layout.root / name).stat().st_size


def test_the_loss_is_shown_as_it_was_signed_and_no_other(app: FastAPI, lived_in: Path) -> None:
    client, path = reader(app), Layout(lived_in / ".hallmark" / "runs" / RUN).artefacts("train") / "curve.json"
    training = client.get(f"/api/runs/{RUN}").json()["training"]
    assert training["steps"] > 1 and training["first"] > training["low"] > 0
    assert training["loss"] in client.get(f"/runs/{RUN}").text
    with changed(path, lambda before: before.replace(b'"loss": ', b'"loss": 1', 1)):
        answer = client.get(f"/api/runs/{RUN}")
        assert answer.status_code == 200 and answer.json()["training"] is None


def row(status: str, seconds: float) -> RunRow:
    return RunRow(
        run="x", use_case="tiny", status=status, requested_by="ml-engineer", demo=False, began=None, doing="",
        release="", seconds=seconds, cost=seconds / 3600,
    )  # fmt: skip


def test_a_use_case_has_its_success_duration_and_cost() -> None:
    newest_first = [
        row("waiting", 1),
        row("promoted", 7200),
        row("failed", 9),
        row("promoted", 3600),
        row("promoted", 0),
    ]
    tally = runs._use_case_summary("tiny", newest_first)
    assert (tally.runs, tally.success, tally.seconds, tally.cost) == (5, 0.75, 3600, 1)
    assert [bar.status for bar in tally.bars] == ["promoted", "promoted", "failed", "promoted", "waiting"]
    assert runs._use_case_summary("none yet", [row("running", 3)]).success is None


def test_who_was_champion_from_when_until_when(app: FastAPI) -> None:
    said = reader(app).get("/api/releases").json()
    (reign,) = said["champions"]
    assert (reign["model"], reign["release"], reign["until"], reign["by"]) == ("tiny", "tiny-1", None, "promote")
    assert reign["since"] == said["rows"][0]["promoted_at"] < said["read"]
    assert f'href="/ledger/{reign["entry"]}"' in reader(app).get("/releases").text


@pytest.mark.attack(rights="visitor", stopped="the log of a run is for who may see all its records")
def test_a_log_may_hold_texts(app: FastAPI) -> None:
    """Prefect, which keeps it, is not up here: the page says so to who may read it."""
    answer = reader(app).get(f"/runs/{WAITING}/log")
    assert answer.status_code == 200 and "is not up here" in answer.text
    for place in (f"/runs/{WAITING}/log", f"/api/runs/{WAITING}/log", f"/runs/{WAITING}/log.csv"):
        answer = reader(app, "ml-engineer").get(place)
        assert answer.status_code == 200 and "is not up here" not in answer.text, "it is not asked"
        assert place.endswith(".csv") or "records of messages are not for ml-engineer" in answer.text
    assert reader(app).get("/runs/none/log").status_code == 400


@pytest.mark.attack(rights="visitor", stopped="one person may ask for so much in a minute")
def test_a_script_keeps_nobody_else_out(lived_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.console.context.REQUESTS_PER_MINUTE", 3)
    busy = console_of(lived_in)
    script, other = reader(busy), reader(busy, "ml-engineer")
    answers = [script.get("/api/runs") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert answers[-1].headers["retry-after"] == "60" and "ask for too much" in answers[-1].json()["error"]
    assert other.get("/runs").status_code == 200


def test_one_person_is_answered_so_often_at_once() -> None:
    rates = RateLimits(max_per_minute=100, max_parallel=2)
    with rates.count_request("script"), rates.count_request("script"):
        with pytest.raises(TooManyRequests), rates.count_request("script"):
            pass
        with rates.count_request("other"):
            pass
    with rates.count_request("script"):
        pass


CURVES: dict[str, object] = {
    "all at one step": [{"step": 1, "loss": 1.0, "lr": 0.1}] * 3,
    "no number": [{"step": 1, "loss": float("nan"), "lr": 0.1}, {"step": 2, "loss": 1.0, "lr": 0.1}],
    "no end": [{"step": 1, "loss": 1.0, "lr": float("inf")}, {"step": 2, "loss": 1.0, "lr": 0.1}],
    "too large a number": [{"step": 10**400, "loss": 10**400, "lr": 0.1}, {"step": 2, "loss": 1.0, "lr": 0.1}],
    "texts": [{"step": "a", "loss": "b", "lr": "c"}] * 2,
    "no list": {"step": 1},
}


@pytest.mark.attack(rights="stage", stopped="a curve that is none leaves the rest of the page of its run")
@pytest.mark.parametrize("odd", [*CURVES, "nested"])
def test_a_curve_that_is_none_leaves_the_rest(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "curve.json"
    path.write_text("[" * 100_000 if odd == "nested" else json.dumps(CURVES[odd]))
    with pytest.raises(Refused, match="files of run one cannot be read as ours are"):
        training._read_training(path, "one")


@pytest.mark.attack(rights="stage", stopped="a curve of many steps is drawn by some of them")
def test_a_long_curve_is_thinned(tmp_path: Path) -> None:
    path, steps = tmp_path / "curve.json", 60_000
    path.write_text(json.dumps([{"step": step, "loss": 2 - step / steps, "lr": 0.1} for step in range(1, steps + 1)]))
    drawn = training._read_training(path, "one")
    assert drawn and drawn.steps == steps and len(drawn.loss.split()) <= 1_000
    assert drawn.last < 1.001 and "nan" not in drawn.loss
