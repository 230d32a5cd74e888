"""Checkouts of the tiny project that are made once in a test session and copied for each test.

A tiny model, a commit, keys, a ledger with governance in force, the tables of Prefect and MLflow, and the outputs of
stages on the same rows are the same each time. Making them takes twenty seconds, with all stages a minute and a half;
a copy takes a third of a second. A test that is about how one of them comes about makes its own.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from infra.prefect import access
from tasks.core.files import STATE_UMASK
from tasks.registry.promote import mlflow_mirror
from tasks.runs.run import open_run
from tests import whole_run
from tests.copies import copy_tree
from tests.shared import made_once
from tests.tiny_project import git, hallmark, make_project


class Checkouts(NamedTuple):
    """Original checkouts below `home`, which the processes of one pytest-xdist run share.

    Each method copies a checkout to `folder` and returns `folder`.
    """

    home: Path

    def made(self, folder: Path) -> Path:
        """Copy a project as `make_project` writes it."""
        return _copied(self._once("made", _make), folder)

    def ready(self, folder: Path) -> Path:
        """Copy a project after `hallmark init`, with the tables of Prefect and MLflow."""
        return _copied(self._once("ready", self._initialised), folder)

    def warm(self, folder: Path, ledger: bool = True) -> Path:
        """Copy a project whose stage cache has the outputs of all stages of a governed run.

        A run with the same parameters uses them. This is for tests about gates and what follows, not about stages.
        Without `ledger` the copy has keys and cache, and needs `hallmark init` with a ledger elsewhere.
        """
        _copied(self._once("warm", self._warmed), folder)
        for file in () if ledger else (folder / ".hallmark").glob("ledger.db*"):
            file.unlink()
        return folder

    def passed(self, folder: Path) -> Path:
        """Copy a project with a governed run that has passed its last gate. Git has the worktree's old path."""
        return _copied(self._once("passed", self._passed), folder)

    def released(self, folder: Path) -> Path:
        """Copy a project whose run was promoted: tiny-1 is champion. Its stage cache is warm."""
        return _copied(self._once("released", self._released), folder)

    def _released(self, folder: Path) -> Path:
        self.passed(folder)
        worktree = str(folder / ".hallmark" / "runs" / whole_run.RUN)
        subprocess.run(["git", "-C", str(folder), "worktree", "repair", worktree], check=True, capture_output=True)
        whole_run.promote(open_run(folder, whole_run.RUN))
        return folder

    def _initialised(self, folder: Path) -> Path:
        hallmark(self.made(folder), "init")
        (folder / ".hallmark" / "installation.json").unlink()  # each copy is an installation of its own
        _make_tables(folder)
        return folder

    def _warmed(self, folder: Path) -> Path:
        """Copy stage cache, stage records and vault of the run, and nothing else of it."""
        ran, home = self._once("passed", self._passed) / ".hallmark", self.ready(folder) / ".hallmark"
        _copied(ran / "cache", home / "cache")
        _copied(ran / "vault", home / "vault")
        _copied(ran / "records", home / "records")
        for path in home.rglob("*"):  # readable by the owner alone, as commands make them
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
    """Write the project, with git's objects packed into one file, so that a copy has a thousand fewer files."""
    git(make_project(folder), "gc", "--quiet")
    return folder


def _make_tables(folder: Path) -> None:
    """Create the tables of Prefect and MLflow with their own commands."""
    home, tracking = (
        access.prefect_folder(folder),
        Path(mlflow_mirror.registry_uri(folder / ".hallmark").removeprefix("sqlite:///")),
    )
    for path in (home, tracking.parent):
        path.mkdir(mode=0o700)
    for words in (
        ["prefect", "server", "database", "upgrade", "--yes"],
        ["mlflow", "db", "upgrade", f"sqlite:///{tracking}"],
    ):
        environment = os.environ | {"PREFECT_HOME": str(home)}
        command = [sys.executable, "-m", *words]
        subprocess.run(command, check=True, capture_output=True, env=environment, umask=STATE_UMASK)


def _copied(original: Path, folder: Path) -> Path:
    return copy_tree(original, folder)
