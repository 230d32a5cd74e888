"""A disk that runs full ends a command with words, whichever library met it."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import cli


def run_into(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command that meets an error."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(os, "umask", lambda _: 0)
    cli.main()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        shutil.Error([("a", "b", f"[Errno 28] {os.strerror(errno.ENOSPC)}: 'a' -> 'b'")]),
    ],
    ids=["the system's", "of a copied folder"],
)
def test_a_full_disk_is_told_in_words(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_into(error, monkeypatch)
    assert ended.value.code == 3
    assert capsys.readouterr().err.startswith("hallmark: no space is left on a disk")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["--help", "params schema"])
def test_an_output_that_cannot_be_written_is_told_as_such(command: str, unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hallmark", *command.split()],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered}, stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith("hallmark: the output could not be written (No space left") and "\n" not in (
        done.stderr.strip()
    )


def test_another_error_of_the_system_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="broken"):
        run_into(OSError(errno.EIO, "broken"), monkeypatch)
