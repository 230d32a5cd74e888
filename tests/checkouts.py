"""Checkouts of the tiny project that are finished once a test session, and copied from then on.

A tiny model, a commit, keys, a ledger with governance in force, the tables of Prefect and MLflow, and what stages
compute of the same rows are the same each time. They take twenty seconds to make, with all stages a minute and a half;
a copy takes a third of a second. A test about one of these makes its own.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from infra.prefect import access
from tasks.core.files import UMASK
from tasks.registry.promote import mirror
from tasks.runs.run import open_run
from tests import whole_run
from tests.copies import copy_tree
from tests.shared import made_once
from tests.tiny_project import git, hallmark, make_project


class Checkouts(NamedTuple):
    """Where the originals lie; processes of one pytest-xdist run share the folder."""

    home: Path

    def made(self, folder: Path) -> Path:
        """A copy of a project as `make_project` leaves it. Returns `folder`, as all of these."""
        return _copied(self._once("made", _make), folder)

    def ready(self, folder: Path) -> Path:
        """A copy of one in which `hallmark init` was said as well; the first server finds its tables made."""
        return _copied(self._once("ready", self._initialised), folder)

    def warm(self, folder: Path, ledger: bool = True) -> Path:
        """A copy of one whose cache has what every stage makes of it in a governed run: a run of the same
        parameters takes that from there. For tests about a run at its gates, and not about how it got there.

        Without `ledger` it has keys and cache, and `hallmark init` is yet to be said: the ledger is elsewhere."""
        _copied(self._once("warm", self._warmed), folder)
        for file in () if ledger else (folder / ".hallmark").glob("ledger.db*"):
            file.unlink()
        return folder

    def passed(self, folder: Path) -> Path:
        """A copy of one with a governed run behind its last gate; git does not know where its worktree is now."""
        return _copied(self._once("passed", self._passed), folder)

    def released(self, folder: Path) -> Path:
        """A copy of one whose run was promoted: tiny-1 is champion. Its cache is warm."""
        return _copied(self._once("released", self._released), folder)

    def _released(self, folder: Path) -> Path:
        self.passed(folder)
        worktree = str(folder / ".hallmark" / "runs" / whole_run.RUN)
        subprocess.run(["git", "-C", str(folder), "worktree", "repair", worktree], check=True, capture_output=True)
        whole_run.promote(open_run(folder, whole_run.RUN))
        return folder

    def _initialised(self, folder: Path) -> Path:
        hallmark(self.made(folder), "init")
        (folder / ".hallmark" / "installation.json").unlink()  # a copy has another
        _make_tables(folder)
        return folder

    def _warmed(self, folder: Path) -> Path:
        """The cache, the records by which it is used, and the vault alone: the run that filled them is forgotten."""
        ran, home = self._once("passed", self._passed) / ".hallmark", self.ready(folder) / ".hallmark"
        _copied(ran / "cache", home / "cache")
        _copied(ran / "vault", home / "vault")
        _copied(ran / "records", home / "records")
        for path in home.rglob("*"):  # its owner's alone, as commands make it
            path.chmod(path.stat().st_mode & 0o700)
        return folder

    def _passed(self, folder: Path) -> Path:
        whole_run.passed(self.ready(folder))
        return folder

    def _once(self, name: str, make: Callable[[Path], Path]) -> Path:
        with pytest.MonkeyPatch.context() as own:
            own.delenv("HALLMARK_LEDGER_URL", raising=False)
            return made_once(self.home / name, make)


def _make(folder: Path) -> Path:
    """Write the project, with the objects of git in one file, so that a copy has a thousand files less."""
    git(make_project(folder), "gc", "--quiet")
    return folder


def _make_tables(folder: Path) -> None:
    """Those of Prefect and MLflow, as their own commands make them."""
    home, tracking = access.folder(folder), Path(mirror.uri(folder / ".hallmark").removeprefix("sqlite:///"))
    for path in (home, tracking.parent):
        path.mkdir(mode=0o700)
    for words in (
        ["prefect", "server", "database", "upgrade", "--yes"],
        ["mlflow", "db", "upgrade", f"sqlite:///{tracking}"],
    ):
        environment = os.environ | {"PREFECT_HOME": str(home)}
        command = [sys.executable, "-m", *words]
        subprocess.run(command, check=True, capture_output=True, env=environment, umask=UMASK)


def _copied(original: Path, folder: Path) -> Path:
    return copy_tree(original, folder)
