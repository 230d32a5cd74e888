"""Checkouts of the tiny project that are finished once a test session, and copied from then on.

A tiny model, a commit, keys, a ledger with governance in force, and what stages compute of the same rows are the same
each time. They take six seconds to make, with the data stages twenty, with all stages a minute; a copy takes a third of
one. A test about one of these makes its own.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tiny_project import hallmark, make_project

BY_HAND = ("artefacts", "evidence", "gates", "inputs", "measured")
"""What `dvc repro` by hand leaves beside dvc.lock."""
OF_DATA = ("validate", "split", "base_model")
"""Stages that no gate stands before, and with them all that they read."""


class Checkouts(NamedTuple):
    """Where the originals lie; processes of one pytest-xdist run share the folder."""

    home: Path

    def made(self, folder: Path) -> Path:
        """A copy of a project as `make_project` leaves it. Returns `folder`, as all of these."""
        return _copied(self._once("made", make_project), folder)

    def ready(self, folder: Path) -> Path:
        """A copy of one in which `hallmark init` was said as well."""
        return _copied(self._once("ready", self._initialised), folder)

    def warm(self, folder: Path, ledger: bool = True) -> Path:
        """A copy of one whose DVC cache has what the data stages and `base_model` make of it: a run of the same
        parameters takes that from there. For tests that want a run at its gate, and not how it got there.

        Without `ledger` it has keys and cache, and `hallmark init` is yet to be said: the ledger is elsewhere."""
        _copied(self._once("warm", self._warmed), folder)
        for file in () if ledger else (folder / ".hallmark").glob("ledger.db*"):
            file.unlink()
        return folder

    def by_hand(self, folder: Path) -> Path:
        """A copy of one in which every stage was made by hand, as a developer does it."""
        return _copied(self._once("by_hand", self._finished), folder)

    def _initialised(self, folder: Path) -> Path:
        hallmark(self.made(folder), "init")
        (folder / ".hallmark" / "installation.json").unlink()  # a copy has another
        return folder

    def _warmed(self, folder: Path) -> Path:
        _repro(self.ready(folder), *OF_DATA)
        for name in BY_HAND:
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "dvc.lock").unlink()
        return folder

    def _finished(self, folder: Path) -> Path:
        return _repro(self.warm(folder))

    def _once(self, name: str, make: Callable[[Path], Path]) -> Path:
        self.home.mkdir(exist_ok=True)
        original = self.home / name
        with (self.home / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not original.exists():
                aside = self.home / f"{name}.aside"
                shutil.rmtree(aside, ignore_errors=True)
                with pytest.MonkeyPatch.context() as own:
                    own.delenv("HALLMARK_LEDGER_URL", raising=False)
                    make(aside).rename(original)
        return original


def _repro(folder: Path, *stages: str) -> Path:
    """The stages and all before them, by DVC itself."""
    hallmark(folder, "resolve")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-P", "-m", "dvc", "repro", "--quiet", *stages]
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _copied(original: Path, folder: Path) -> Path:
    return Path(shutil.copytree(original, folder, symlinks=True, dirs_exist_ok=True))
