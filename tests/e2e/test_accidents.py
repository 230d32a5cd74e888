"""A full disk and a killed process in each stage that works with a model. tests/stages/data has those of data."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.files import tree_digest
from tests.small_disk import fill, small_disk
from tests.tiny_project import hallmark, make_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DIE = Path(__file__).parents[1] / "die_at_rename.py"
STAGES = ["base_model", "train", "predict@candidate", "evaluate", "package"]


def command(project: Path, *args: str) -> "subprocess.Popen[str]":
    """`python -P ARGS` in the project, with the project's code and this environment's `python`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        [sys.executable, "-P", *args], cwd=project, env=os.environ | {"PATH": path, "PYTHONPATH": str(project)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    told, errors = process.communicate(timeout=600)
    assert process.returncode == code, told + errors
    return errors


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which every stage was made by hand, as a developer does it."""
    folder = make_project(tmp_path_factory.mktemp("by-hand"))
    hallmark(folder, "init")
    hallmark(folder, "resolve")
    finish(command(folder, "-m", "dvc", "repro", "--quiet"))
    return folder


def output(artefacts: Path, stage: str) -> Path:
    return artefacts / stage.replace("@", "/")


def asides(artefacts: Path, stage: str) -> list[Path]:
    target = output(artefacts, stage)
    return list(target.parent.glob(f".{target.name}.*"))


@pytest.fixture
def artefacts(project: Path) -> Iterator[Path]:
    """artefacts/ on a disk of 32 MiB of its own; what was there before comes back."""
    folder, kept = project / "artefacts", project / "artefacts.kept"
    folder.rename(kept)
    try:
        with small_disk(folder, mebibytes=32):
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            yield folder
    finally:
        folder.rmdir()
        kept.rename(folder)


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_said_and_leaves_nothing_behind(project: Path, artefacts: Path, stage: str) -> None:
    before = tree_digest(output(artefacts, stage))
    shutil.rmtree(output(artefacts, stage))
    filler = fill(artefacts)
    told = finish(command(project, "-m", "tasks.stages", stage), code=3)
    assert f"{stage}: no space left on the disk" in told and "nothing is lost" in told
    assert not output(artefacts, stage).exists() and not asides(artefacts, stage)
    filler.unlink()
    finish(command(project, "-m", "tasks.stages", stage))
    assert tree_digest(output(artefacts, stage)) == before


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_leaves_nothing_half_written_and_can_be_repeated(project: Path, stage: str) -> None:
    artefacts = project / "artefacts"
    before = tree_digest(output(artefacts, stage))
    shutil.rmtree(output(artefacts, stage))
    finish(command(project, str(DIE), str(output(artefacts, stage)), stage), code=-signal.SIGKILL)
    assert asides(artefacts, stage)
    assert not output(artefacts, stage).exists()
    finish(command(project, "-m", "tasks.stages", stage))
    assert tree_digest(output(artefacts, stage)) == before and not asides(artefacts, stage)
