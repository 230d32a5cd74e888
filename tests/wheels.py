"""A wheel of this project, and an environment in which it is installed, made once in a test session."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.shared import made_once

ROOT = Path(__file__).parents[1]
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")
NOT_BUILT = shutil.ignore_patterns(".*", "tests", "site", "build", "*.egg-info", "artefacts")


def wheel(shared: Path) -> Path:
    """Return the wheel of this working tree."""
    (built,) = made_once(shared / "wheel", _build).glob("*.whl")
    return built


def environment(shared: Path) -> Path:
    """Return the interpreter of an environment with the packages of this one and the wheel in place of the sources.

    Files have a second name there in place of a copy, which takes seconds, not minutes. The environment is used where
    it was made, since scripts name their interpreter.
    """
    place = shared / "installed"
    place.mkdir(exist_ok=True)
    made_once(place / "done", lambda _: _install(wheel(shared), place / "venv"))
    return place / "venv" / "bin" / "python"


def _build(folder: Path) -> None:
    source = shutil.copytree(ROOT, folder / "source", ignore=NOT_BUILT)
    words = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([sys.executable, *PIP, *words], check=True, capture_output=True)
    shutil.rmtree(source)


def _install(built: Path, venv: Path) -> None:
    # Other tests write these while they are copied.
    written = shutil.ignore_patterns("hallmark-bytecode", "helm", "helm.[0-9]*", "ui_build", "ui_v2_build", ".*.lock")
    linked = os.link if Path(sys.prefix).stat().st_dev == venv.parent.stat().st_dev else shutil.copy2
    shutil.copytree(sys.prefix, venv, symlinks=True, copy_function=linked, ignore=written)
    words = ["install", "--no-deps", "--no-index", "--force-reinstall", str(built)]
    subprocess.run([venv / "bin" / "python", *PIP, *words], check=True, capture_output=True)
