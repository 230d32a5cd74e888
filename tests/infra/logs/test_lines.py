"""A log line says when, how severe, which process and which run; as text or as one JSON object."""

import json
import logging
import multiprocessing
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.lifecycle import run_lifecycle
from infra.logs.lines import RUN_ATTRIBUTE, LineFormatter
from infra.logs.settings import PROCESS_VARIABLE, process_name
from tasks.core.current_run import executing_run
from tasks.runs.request import RunRequest
from tests.checkouts import Checkouts

RUN = "20260303-040000-a1b2"
FORGED = "read\n2026-03-03T04:00:00.000Z ERROR watch - all is lost\x1b[2J\u202e"


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROCESS_VARIABLE, "runner")
    monkeypatch.delenv("PREFECT__FLOW_RUN_ID", raising=False)
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)  # tests before may have replaced it


def record(message: str, **more: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": message, "levelname": "WARNING", "created": 1772510400.1234, **more})
    assert made.getMessage() == message
    return made


def text(message: str, **more: object) -> str:
    return LineFormatter("text").format(record(message, **more))


def document(message: str, **more: object) -> dict[str, object]:
    line = LineFormatter("json").format(record(message, **more))
    assert "\n" not in line
    return dict(json.loads(line))


def test_a_line_has_time_level_process_run_and_message() -> None:
    assert text("disk is nearly full") == "2026-03-03T04:00:00.123Z WARNING runner - disk is nearly full"
    assert document("disk is nearly full") == {
        "time": "2026-03-03T04:00:00.123Z", "level": "WARNING", "process": "runner", "run": None,
        "message": "disk is nearly full", "exception": None,
    }  # fmt: skip


def test_the_process_of_a_flow_run_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "11111111-1111-1111-1111-111111111111")
    assert " flow-run - " in text("begins") and document("begins")["process"] == "flow-run"


def test_the_child_of_a_runner_is_a_flow_run_and_that_of_another_process_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multiprocessing, "parent_process", multiprocessing.current_process)
    assert process_name() == "flow-run"
    monkeypatch.setenv(PROCESS_VARIABLE, "watch")
    assert process_name() == "watch"


def test_what_prefect_logs_around_a_run_is_of_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner, which logs about flow runs too, may know a flow run only by the name that Prefect has drawn."""
    assert document("begins", flow_run_name="brave-mongoose")["run"] is None
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "11111111-1111-1111-1111-111111111111")
    assert document("begins", flow_run_name=RUN)["run"] == RUN


def test_a_line_of_a_task_names_it() -> None:
    assert text("is done", task_run_name="train").endswith(" train: is done")
    assert document("is done", task_run_name="train")["message"] == "train: is done"


def test_a_line_names_the_run_that_its_process_executes_or_that_it_is_about() -> None:
    with executing_run(RUN):
        assert f" runner {RUN} trains" in text("trains") and document("trains")["run"] == RUN
    assert document("trains")["run"] is None
    assert document("goes on", **{RUN_ATTRIBUTE: RUN})["run"] == RUN


def test_no_message_looks_like_another_line() -> None:
    beginnings = [line for line in text(FORGED).splitlines() if not line.startswith("    ")]
    assert len(beginnings) == 1
    assert document(FORGED)["message"] == FORGED


@pytest.mark.parametrize("formatted", [text, lambda said: LineFormatter("json").format(record(said))])
def test_no_hidden_character_is_in_a_line(formatted: Callable[[str], str]) -> None:
    assert not re.search("[\x1b\u202e]", formatted(FORGED))


def test_an_exception_has_its_traceback() -> None:
    try:
        raise ValueError("no number")
    except ValueError:
        error = sys.exc_info()
    lines = text("it failed", exc_info=error).splitlines()
    assert lines[0].endswith("- it failed") and lines[-1] == "    ValueError: no number"
    told = document("it failed", exc_info=error)
    assert told["message"] == "it failed" and str(told["exception"]).endswith("ValueError: no number")


def test_a_process_that_executes_a_run_writes_lines_of_that_run(
    tmp_path: Path, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALLMARK_ROOT", str(checkouts.ready(tmp_path / "project")))
    with run_lifecycle(RunRequest(run_id=RUN, requested_by="ml-engineer"), None):
        assert document("resolves its sources")["run"] == RUN
    assert document("waits for the next")["run"] is None
