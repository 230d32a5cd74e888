"""`hallmark down` and a run in the middle of a stage: who is killed, who is told, and who is left to end by itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra import processes
from infra.prefect.ending import end_runners
from infra.processes import Process
from tasks.core.machine import locks
from tasks.core.machine.processes import is_running
from tests.patience import patience, wait_until

LEVEL = """
import signal, subprocess, sys, time
from pathlib import Path
name, *below = sys.argv[1:]
signal.signal(signal.SIGTERM, lambda *_: Path(name + ".told").touch())
if below:
    subprocess.Popen([sys.executable, __file__, *below], start_new_session=below[0] in ("dvc", "stage"))
Path(name).touch()
until = {"dvc": "kept", "stage": "dvc.told"}.get(name, "never")
while not Path(until).exists():
    time.sleep(0.05)
if name == "stage":
    time.sleep(1)
    Path("kept").touch()
"""
"""A process and those below it, each the child of the one before. DVC stands for its supervisor too."""


def test_a_stage_is_left_to_those_who_know_how_to_end_it(tmp_path: Path) -> None:
    (tmp_path / "level.py").write_text(LEVEL)
    command = [sys.executable, "level.py", "runner", "flow", "dvc", "stage"]
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True) as runner:
        wait_until((tmp_path / "stage").exists, "the stage to begin", process=runner)
        all_of_it = psutil.Process(runner.pid).children(recursive=True)
        end_runners([Process.from_pid(runner.pid)], tmp_path)
    assert len(all_of_it) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dvc", "dvc.told", "flow", "kept", "level.py", "runner", "stage"
    ]  # fmt: skip
    assert not any(map(is_running, all_of_it))


FORKING = """
import fcntl, os, sys, time
lock = open(sys.argv[1], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
with open(sys.argv[1] + ".pid", "w") as file:
    file.write(str(os.getpid()))
os.mkdir(sys.argv[1] + ".held")
while True:
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)
    time.sleep(0.01)
"""
"""A flow run that begins a process again and again. Each is slow to execute its program."""
RUNNER = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]])"


@pytest.fixture
def flow_run(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Process]]:
    """A runner in the test's folder, and the record of it. Its flow run holds run.lock there, and starts processes."""
    lock = tmp_path / "run.lock"
    command = [sys.executable, "-c", RUNNER, "-c", FORKING, str(lock)]
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True) as runner:
        wait_until((tmp_path / "run.lock.held").is_dir, "the flow run to hold its lock", process=runner)
        known = Process.from_pid(runner.pid)
        yield runner, known
        runner.kill()
    processes.wait_then_kill([psutil.Process(int((tmp_path / "run.lock.pid").read_text()))], 0)


@pytest.mark.parametrize("died", [False, True], ids=["runner alive", "runner died"])
def test_no_flow_run_and_no_process_that_it_just_began_holds_its_lock(
    tmp_path: Path, flow_run: tuple[subprocess.Popen[bytes], Process], died: bool
) -> None:
    runner, known = flow_run
    if died:
        runner.kill()
        runner.wait()
    assert end_runners([Process.from_pid(os.getppid()), known] if died else [known], tmp_path)
    assert not locks.is_held(tmp_path / "run.lock")
    assert not end_runners([known], tmp_path)


def test_processes_of_others_in_the_same_folder_are_left_alone(
    tmp_path: Path, flow_run: tuple[subprocess.Popen[bytes], Process]
) -> None:
    """A worker of a pool whose shell has ended, and flow runs of another folder or boot."""
    runner, known = flow_run
    runner.kill()
    runner.wait()
    other = known.model_copy(update={"boot": "another"})
    with subprocess.Popen([sys.executable, "-c", "pass"], start_new_session=True) as ended:
        stranger = Process.from_pid(ended.pid)
    assert not end_runners([stranger, other], tmp_path)
    assert not end_runners([known], tmp_path.parent)
    assert locks.is_held(tmp_path / "run.lock")


def test_another_process_that_has_the_number_since_is_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        try:
            ours = Process.from_pid(stranger.pid)
            processes.end_process(Process(pid=stranger.pid, started=ours.started - 100))
            assert stranger.poll() is None
            processes.end_process(ours)
            assert stranger.wait(patience(20))
        finally:
            stranger.kill()


def test_a_process_is_known_again_after_the_clock_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the clock is set, the kernel reports another boot time, and so other start times."""
    ours, booted = Process.from_pid(os.getpid()), psutil.boot_time()
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: booted + 3600)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: real(process) + 3600)
    assert ours.is_alive()


def test_a_process_that_an_earlier_version_wrote_down_is_known_again() -> None:
    assert Process(pid=os.getpid(), started=psutil.Process().create_time()).is_alive()


def test_a_process_of_an_earlier_boot_is_not_taken_for_one_with_its_number() -> None:
    assert not Process.from_pid(os.getpid()).model_copy(update={"boot": "another"}).is_alive()
