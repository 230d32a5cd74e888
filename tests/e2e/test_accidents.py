"""A full disk and a killed process in each stage that works with a model. tests/stages/data has those of data."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.files import tree_digest
from tests.checkouts import Checkouts
from tests.small_disk import fill, small_disk

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
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.by_hand(tmp_path_factory.mktemp("by-hand"))


def output(artefacts: Path, stage: str) -> Path:
    return artefacts / stage.replace("@", "/")


def asides(artefacts: Path, stage: str) -> list[Path]:
    target = output(artefacts, stage)
    return list(target.parent.glob(f".{target.name}.*"))


@pytest.fixture
def disk(project: Path) -> Iterator[str]:
    """artefacts/ on a disk of 32 MiB of its own, or why that can't be; what was there before comes back."""
    folder, kept = project / "artefacts", project / "artefacts.kept"
    folder.rename(kept)
    with contextlib.ExitStack() as mounted:
        try:
            mounted.enter_context(small_disk(folder, mebibytes=32))
            why_not = ""
        except pytest.skip.Exception as skipped:
            why_not = str(skipped)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield why_not
    shutil.rmtree(folder)
    kept.rename(folder)


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_and_a_kill_leave_nothing_half_written_and_the_stage_can_be_repeated(
    project: Path, disk: str, stage: str
) -> None:
    artefacts, result = project / "artefacts", output(project / "artefacts", stage)
    before = tree_digest(result)
    shutil.rmtree(result)
    if not disk:
        filler = fill(artefacts)
        told = finish(command(project, "-m", "tasks.stages", stage), code=3)
        assert f"{stage}: no space left on the disk" in told and "nothing is lost" in told
        assert not result.exists() and not asides(artefacts, stage)
        filler.unlink()

    finish(command(project, str(DIE), str(result), stage), code=-signal.SIGKILL)
    assert asides(artefacts, stage)
    assert not result.exists()

    finish(command(project, "-m", "tasks.stages", stage))
    assert tree_digest(result) == before and not asides(artefacts, stage)
    if disk:
        pytest.skip(f"of a full disk nothing was shown: {disk}")
