"""Sessions of the test suite that do not come to their end, and what a session removes of earlier ones."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests import costs, temporary
from tests.patience import patience, wait_until
from tests.soaking import soak
from tests.tiny_project import ROOT

USES = """
import subprocess, time
from pathlib import Path
import pytest
from tests import shared

HERE = Path(__file__).parent

@pytest.fixture(scope="session")
def service():
    processes = []

    def start():
        processes.append(subprocess.Popen(["sleep", "1000"], start_new_session=True))
        (HERE / "service").write_text(str(processes[0].pid))
        return {}

    def stop(_):
        processes[0].kill()
        processes[0].wait()

    with shared.service(HERE, "it", start, stop):
        yield

def test_it(service):
    (HERE / "up").touch()
    time.sleep(1000)
"""
"""A test that uses a shared service, and does not end by itself."""
BREAKS = """
import os

def pytest_runtest_logstart():
    if "PYTEST_XDIST_WORKER" in os.environ:
        raise ValueError("a hook is broken")
"""


@contextmanager
def session(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A session with one worker and the hooks of this project, in a process group of its own. It prints to `log`."""
    settings = ["-c", ROOT / "pyproject.toml", "--rootdir", folder, "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", *settings, folder]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command,
            cwd=folder,
            env=costs.own_session() | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            for group in (process.pid, *(int(path.read_text()) for path in folder.glob("service"))):
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)


@pytest.mark.parametrize("told", [os.kill, *soak([os.killpg])], ids=["its first process", "all its processes"])
def test_one_that_is_terminated_stops_its_services(tmp_path: Path, told: Callable[[int, int], None]) -> None:
    (tmp_path / "test_it.py").write_text(USES)
    with session(tmp_path) as run:
        log = (tmp_path / "log").read_text
        wait_until((tmp_path / "up").exists, "the test to use the service", saw=log, process=run)
        told(run.pid, signal.SIGTERM)
        run.wait(patience(60))
    assert run.returncode == pytest.ExitCode.INTERRUPTED, log()
    assert not psutil.pid_exists(int((tmp_path / "service").read_text()))


def test_one_whose_worker_breaks_does_not_pass(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    (tmp_path / "conftest.py").write_text(BREAKS)
    with session(tmp_path) as run:
        run.wait(patience(120))  # a worker that does not end is killed after 60 s (tests/conftest.py)
    log = (tmp_path / "log").read_text()
    assert "a hook is broken" in log
    assert run.returncode == pytest.ExitCode.INTERNAL_ERROR, log


def test_one_that_a_test_starts_removes_no_older_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    base = temporary.of_session().parent
    never = int(Path("/proc/sys/kernel/pid_max").read_text())
    for pid in (never, never + 1):
        (base / str(pid)).mkdir()
    monkeypatch.setenv(temporary.INNER, costs.own_session()[temporary.INNER])
    temporary.of_session()
    assert len(list(base.iterdir())) == 2
    monkeypatch.delenv(temporary.INNER)
    temporary.of_session()
    wait_until(lambda: len(list(base.iterdir())) == temporary.KEPT, "older folders are removed")
