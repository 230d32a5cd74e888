"""Commands in an installation with the required dependencies alone, without the extra `platform`."""

import os
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import forking
from tests.forking import Forking

ROOT = Path(__file__).parents[1]
ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in AWAY:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""
COMMAND = "from infra.cli import main\nmain()\n"


def distributions() -> set[str]:
    """Return the names of the packages that pip installs with `hallmark` without extras."""
    asked = [
        Requirement(one) for one in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ]
    found: set[str] = set()
    while asked:
        name = canonicalize_name(asked.pop().name)
        if name not in found:
            found.add(name)
            needed = map(Requirement, requires(name) or [])
            asked += [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def absent() -> set[str]:
    """Return the top-level modules of all other packages that are installed here."""
    there = distributions()
    found = {top for top, of in packages_distributions().items() if not there & {canonicalize_name(one) for one in of}}
    return found - {"flows", "hallmark", "infra", "tasks", "tests"}


class Installed:
    """Installation of `hallmark` in which modules of other packages cannot be imported."""

    def __init__(self, processes: Forking) -> None:
        self._processes = processes

    def run(self, *args: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        with pytest.MonkeyPatch.context() as environment:
            for name in set(os.environ) - {"PATH"}:
                environment.delenv(name)
            environment.setenv("HOME", str(cwd))
            return self._processes.run(COMMAND, *args, cwd=cwd)


@contextmanager
def installed() -> Iterator[Installed]:
    with forking.importing("infra.cli", before=f"AWAY = {absent()!r}\n{ABSENT}") as processes:
        yield Installed(processes)
