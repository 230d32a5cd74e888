"""Commands where only what pyproject.toml asks of everybody is installed, without the extra `platform`."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CODE = """
import sys
away = set(sys.argv.pop(1).split(","))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in away:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from infra.cli import main
main()
"""


def distributions() -> set[str]:
    """What pip installs with `hallmark` alone, by name."""
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


def run(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`hallmark ARGS`, which finds no other library."""
    there = distributions()
    away = [top for top, of in packages_distributions().items() if not there & {canonicalize_name(name) for name in of}]
    away = sorted({*away} - {"infra", "flows", "tasks", "tests"})
    return subprocess.run(
        [sys.executable, "-c", CODE, ",".join(away), *args],
        cwd=cwd,
        env={"HOME": str(cwd), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
