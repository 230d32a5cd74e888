"""Every process of Hallmark logs in the same form: those of Prefect, of uvicorn, and Hallmark's own."""

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from prefect.logging.configuration import DEFAULT_LOGGING_SETTINGS_PATH

from infra import processes
from infra.logs import configuration
from infra.logs.lines import LineFormatter
from infra.logs.settings import FORMAT_VARIABLE, PROCESS_VARIABLE, process_variables
from infra.prefect import access
from infra.prefect.periodic import run_periodically
from tests.patience import patience

SAYS = """
import logging, logging.config
from infra.logs.configuration import base_configuration
logging.config.dictConfig(base_configuration())
logging.getLogger("one").warning("it begins")
"""
PREFECT_SAYS = """
import prefect.main
from prefect.logging import get_logger
get_logger("hallmark").info("it begins")
"""

FAILS = """
import logging.config, threading, warnings
from infra.logs.configuration import base_configuration
from infra.logs.uncaught import log_uncaught_exceptions
logging.config.dictConfig(base_configuration())
log_uncaught_exceptions()
def fail():
    raise ValueError("no number")
warnings.warn("it is old")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


@pytest.fixture(autouse=True)
def json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, "json")


def log_of(folder: Path, name: str, code: str, environment: dict[str, str]) -> list[dict[str, object]]:
    """Return the lines that a process in the background writes to its log."""
    process = processes.spawn_process(folder, name, ["-c", code], environment)
    psutil.Process(process.pid).wait(timeout=patience(60))
    return [json.loads(line) for line in (folder / f"{name}.log").read_text().splitlines()]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is to outlive who starts it
def test_a_process_in_the_background_says_its_name(tmp_path: Path) -> None:
    (line,) = log_of(tmp_path, "console", SAYS, dict(os.environ))
    assert (line["level"], line["process"], line["message"]) == ("WARNING", "console", "it begins")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_prefects_processes_log_in_the_same_form(tmp_path: Path) -> None:
    environment = access.client_environment(tmp_path, "http://127.0.0.1:1/api", is_own_server=False)
    folder = access.prefect_folder(tmp_path)
    (line,) = log_of(folder, "watch", PREFECT_SAYS, access.with_hallmark_log_format(tmp_path, environment))
    assert (line["level"], line["process"], line["message"]) == ("INFO", "watch", "it begins")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_ends_a_process_or_a_thread_is_a_line_too(tmp_path: Path) -> None:
    warning, thread, process = log_of(tmp_path, "watch", FAILS, dict(os.environ))
    assert warning["level"] == "WARNING" and "it is old" in str(warning["message"])
    assert (thread["message"], process["message"]) == ("a thread ends: ValueError", "the process ends: ValueError")
    assert all(str(line["exception"]).endswith("ValueError: no number") for line in (thread, process))


def test_prefects_configuration_differs_from_its_own_in_the_form_of_lines_alone() -> None:
    """A newer version of Prefect may have other loggers, which Hallmark's configuration must then have too."""
    own = yaml.safe_load(DEFAULT_LOGGING_SETTINGS_PATH.read_text())
    ours = configuration.prefect_configuration()
    own["loggers"]["prefect._internal"]["handlers"] = [configuration.CONSOLE]
    assert ours["loggers"] == own["loggers"] and ours["root"] == own["root"]
    assert all(ours["handlers"][name] == own["handlers"][name] for name in configuration.PREFECT_SERVER_HANDLERS)


def test_a_process_in_the_foreground_has_no_log_file() -> None:
    inherited = process_variables("runner", Path("/somewhere/runner.log"), {"A": "b"})
    assert process_variables("watch", None, inherited) == {"A": "b", PROCESS_VARIABLE: "watch"}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.LogRecord]]:
    kept: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    log = logging.getLogger("prefect.hallmark")
    log.addHandler(keeper := Keeper())
    yield kept
    log.removeHandler(keeper)


@pytest.mark.parametrize(("results_are_runs", "run"), [(True, "20260303-040000-abcdef"), (False, None)])
def test_what_the_watch_does_for_a_run_is_a_line_of_that_run(
    lines: list[logging.LogRecord], results_are_runs: bool, run: str | None
) -> None:
    async def until_it_says_something() -> None:
        work = run_periodically(0, "goes on", lambda _: ["20260303-040000-abcdef"], results_are_runs)
        task = asyncio.create_task(work)
        while not lines:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(until_it_says_something())
    assert json.loads(LineFormatter("json").format(lines[0]))["run"] == run
