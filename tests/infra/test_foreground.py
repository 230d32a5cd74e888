"""A service in the foreground: it ends in order when it is told to, and with an error when its process died."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra import foreground, local_server
from infra.cli.up import Service
from infra.logs.settings import FORMAT_VARIABLE
from tasks.core.errors import InputError
from tasks.core.machine.processes import is_running
from tests.in_process import hallmark
from tests.patience import patience, wait_until

SERVES = """
import os, sys
from pathlib import Path
from infra import foreground, local_server
from infra.local_server import RunningServer
from infra.processes import spawn_process
from tasks.core.errors import Unavailable
folder = Path(sys.argv[1])
foreground.CHECK_SECONDS = 0.02
def start():
    process = spawn_process(folder, "one", ["-c", "print('ready', flush=True); import time; time.sleep(600)"],
                            dict(os.environ))
    local_server.write_state(folder, RunningServer(origin="http://127.0.0.1:1", port=1, process=process))
try:
    foreground.run_in_foreground("console", foreground.local_controls(folder, start))
except Unavailable as error:
    sys.exit(str(error))
"""


@contextmanager
def serving(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", psutil.Process]]:
    """Yield the process of the command, and that of its service."""
    with (folder / "stderr").open("w") as output:
        command = subprocess.Popen([sys.executable, "-c", SERVES, str(folder)], stderr=output, text=True)
    with command:
        try:
            wait_until(lambda: local_server.find_running_server(folder), "the service to start", process=command)
            up = local_server.find_running_server(folder)
            assert up
            yield command, psutil.Process(up.process.pid)
        finally:
            command.kill()
            local_server.stop_server(folder)


def ended(command: "subprocess.Popen[str]", folder: Path) -> str:
    """Return what the command wrote to standard error until its end."""
    command.wait(timeout=patience(30))
    return said(folder)


def said(folder: Path) -> str:
    return (folder / "stderr").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as (command, service):
        command.send_signal(number)
        ended(command, tmp_path)
        assert command.returncode == 0 and not is_running(service) and not local_server.is_recorded(tmp_path)


def test_its_processes_write_to_the_standard_error_of_the_command(tmp_path: Path) -> None:
    with serving(tmp_path) as (command, _):
        wait_until(lambda: said(tmp_path) == "ready\n", "the service's line", process=command, seconds=5)
    assert not (tmp_path / "one.log").exists()


def test_a_service_that_dies_is_an_error(tmp_path: Path) -> None:
    with serving(tmp_path) as (command, service):
        service.kill()
        assert "console has ended by itself" in ended(command, tmp_path)
        assert command.returncode == 1 and not local_server.is_recorded(tmp_path)


def test_a_service_that_another_command_stops_is_none(tmp_path: Path) -> None:
    with serving(tmp_path) as (command, _):
        assert local_server.stop_server(tmp_path)
        ended(command, tmp_path)
        assert command.returncode == 0


def test_a_service_that_is_up_is_not_started_again(tmp_path: Path) -> None:
    with serving(tmp_path):
        controls = foreground.local_controls(tmp_path, lambda: pytest.fail("started again"))
        with pytest.raises(InputError, match="console is up already"):
            foreground.run_in_foreground("console", controls)


@pytest.mark.parametrize(
    "command",
    [("up",), *(("up", "--foreground", each) for each in Service), ("watch",), ("work", "gpu"),
     ("console", "start")],
)  # fmt: skip
def test_a_wrong_form_of_log_lines_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).touch()
    monkeypatch.setenv(FORMAT_VARIABLE, "xml")
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("started"))
    told = hallmark(tmp_path, *command, code=2)
    assert "HALLMARK_LOG_FORMAT: expected `text` or `json`, got 'xml'" in told
    assert not [path for path in (tmp_path / ".hallmark").rglob("*") if path.is_file()]
