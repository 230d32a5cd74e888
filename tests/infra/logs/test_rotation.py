"""Log files have a limited size, and no line is lost: not with several processes, nor if one is interrupted."""

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from infra.logs import rotation
from infra.logs.rotation import earlier_file
from infra.logs.settings import process_variables

WRITES = """
import logging, sys
from infra.logs import rotation
from infra.logs.handler import LogHandler
rotation.MAX_BYTES, rotation.KEPT_FILES = 2000, int(sys.argv[2])
log = logging.getLogger()
log.addHandler(LogHandler())
for number in range(200):
    log.warning("%s says %d", sys.argv[1], number)
    print(sys.argv[1], "prints", number, flush=True)
"""
LINES = [f"{name} says {number}" for name in ("one", "other") for number in range(200)]
PRINTED = [f"{name} prints {number}" for name in ("one", "other") for number in range(200)]


def write(path: Path, kept_files: int) -> None:
    """Have two processes write and print 200 lines each to the same log."""
    rotation.rotate_if_full(path)
    with path.open("ab") as log:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITES, name, str(kept_files)],
                stdout=log, stderr=log, env=process_variables(name, path, {"PYTHONPATH": ":".join(sys.path)}),
            )
            for name in ("one", "other")
        ]  # fmt: skip
    assert [writer.wait() for writer in writers] == [0, 0]


def test_no_line_of_several_processes_is_lost(tmp_path: Path) -> None:
    write(tmp_path / "runner.log", kept_files=40)
    files = list(tmp_path.iterdir())
    lines = [line for file in files for line in file.read_text().splitlines()]
    said = sorted(line.partition(" - ")[2] for line in lines if " - " in line)
    assert said == sorted(LINES) and sorted(line for line in lines if " - " not in line) == sorted(PRINTED)
    assert len(files) > 10, "they were rotated"


def test_a_log_takes_no_more_than_its_share_of_the_disk(tmp_path: Path) -> None:
    write(tmp_path / "runner.log", kept_files=3)
    files = list(tmp_path.iterdir())
    assert {file.name for file in files} == {"runner.log", "runner.log.1", "runner.log.2", "runner.log.3"}
    assert max(file.stat().st_size for file in files) < 2500
    newest = (tmp_path / "runner.log").read_text() + (tmp_path / "runner.log.1").read_text()
    assert " says 199\n" in newest and " prints 199\n" in newest, "what is printed goes to the current file too"


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A full log with two earlier files."""
    monkeypatch.setattr(rotation, "MAX_BYTES", 3)
    path = tmp_path / "watch.log"
    for number, content in enumerate(("new", "old", "older")):
        earlier_file(path, number).write_text(content)
    return path


def contents(path: Path) -> list[str]:
    return [file.read_text() for number in range(5) if (file := earlier_file(path, number)).exists()]


def test_earlier_files_move_on_and_the_oldest_goes(full: Path) -> None:
    rotation.rotate_if_full(full)
    assert not full.exists() and contents(full) == ["new", "old", "older"]
    full.write_text("newest")
    rotation.rotate_if_full(full)
    assert contents(full) == ["newest", "new", "old"]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupted_rotation_loses_nothing(full: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    rename, renamed = Path.replace, list[Path]()

    def interrupted(self: Path, target: Path) -> Path:
        if len(renamed) == after:
            raise KeyboardInterrupt
        renamed.append(self)
        return rename(self, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "replace", interrupted)
        rotation.rotate_if_full(full)
    assert sorted(contents(full)) == ["new", "old", "older"]
    rotation.rotate_if_full(full)
    assert contents(full) == ["new", "old", "older"]


def test_a_log_that_another_process_has_rotated_is_left_alone(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process was faster to take the lock, after both had opened the full file."""
    lock = fcntl.flock

    def other_was_faster(file: IO[bytes], operation: int) -> None:
        rotation._shift_numbers(full)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", other_was_faster)
    rotation.rotate_if_full(full)
    assert contents(full) == ["new", "old", "older"] and not full.exists()


def test_nobody_else_rotates_meanwhile(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename, tried = Path.replace, list[Path]()

    def competed(self: Path, target: Path) -> Path:
        with full.open("ab") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        tried.append(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", competed)
    rotation.rotate_if_full(full)
    assert tried == [earlier_file(full, 2), earlier_file(full, 1), full]


def test_a_log_with_room_stays(full: Path) -> None:
    full.write_text("ab")
    rotation.rotate_if_full(full)
    assert contents(full) == ["ab", "old", "older"]


def test_output_that_leads_elsewhere_than_to_the_log_stays_there(tmp_path: Path) -> None:
    """Standard error is a pipe if a parent process reads the output."""
    environment = process_variables("one", tmp_path / "runner.log", {"PYTHONPATH": ":".join(sys.path)})
    done = subprocess.run([sys.executable, "-c", WRITES, "one", "3"], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines() == PRINTED[:200] and len(done.stderr.splitlines()) == 200
    assert list(tmp_path.iterdir()) == []
