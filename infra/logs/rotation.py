"""Log files of limited size: `runner.log`, and before it `runner.log.1` to `runner.log.3`.

A full file is renamed, and never copied or truncated. So no line is lost, whenever a process is interrupted, and a
process that still has the renamed file open writes to that. Each process looks at each line whether its output is still
the current file, and goes over to that otherwise (`rotate_and_reopen`). This includes what libraries and the
interpreter print, because standard output and error themselves lead to the file.
"""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 10 << 20
"""Size in bytes at which a log file is rotated. A file can exceed it by one line of each process, and by what
is printed between two lines."""
KEPT_FILES = 3
"""Number of earlier log files that are kept."""
STDOUT, STDERR = 1, 2


def rotate_and_reopen(path: Path) -> None:
    """Rotate the log file if it is full, and redirect standard error and standard output to the current file.

    Does nothing if standard error is not a file, but for example a pipe.
    """
    before = os.fstat(STDERR)
    if not stat.S_ISREG(before.st_mode):
        return
    if before.st_size >= MAX_BYTES:
        rotate_if_full(path)
    if not _is_file(path, before):
        _reopen(path, before)


def rotate_if_full(path: Path) -> None:
    """Rename a log file that is full, unless another process has just done so."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        opened = os.fstat(file.fileno())
        if opened.st_size >= MAX_BYTES and _is_file(path, opened):  # nobody has renamed it since it was opened
            _shift_numbers(path)


def _shift_numbers(path: Path) -> None:
    """Increase the number of each log file by one, up to the first unused number.

    If a call is interrupted, one number stays unused, and the next call ends there.
    """
    numbers = range(1, KEPT_FILES + 1)
    free = next((number for number in numbers if not earlier_file(path, number).exists()), KEPT_FILES)
    for number in range(free, 0, -1):
        with suppress(FileNotFoundError):  # somebody has removed it
            earlier_file(path, number - 1).replace(earlier_file(path, number))


def earlier_file(path: Path, number: int) -> Path:
    """Return the path of the earlier log file with this number, counted from the newest; 0 is the current file."""
    return path.with_name(f"{path.name}.{number}") if number else path


def _is_file(path: Path, opened: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), opened)
    except FileNotFoundError:
        return False


def _reopen(path: Path, before: os.stat_result) -> None:
    """Redirect standard error to the current log file, and standard output as well if both were the same file."""
    targets = [STDERR, *([STDOUT] if os.path.samestat(os.fstat(STDOUT), before) else [])]
    opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for target in targets:
            os.dup2(opened, target)
    finally:
        os.close(opened)
