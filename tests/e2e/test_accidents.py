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
from tasks.core.layout import Layout
from tasks.stages.train.recovery import checkpoints
from tests import whole_run
from tests.checkouts import Checkouts
from tests.small_disk import fill, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DIE = Path(__file__).parents[1] / "die_at_rename.py"
STAGES = ["base_model", "predict@candidate", "evaluate", "package"]


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
    """The worktree of a run in which every stage is done and every gate passed."""
    return checkouts.passed(tmp_path_factory.mktemp("checkout")) / ".hallmark" / "runs" / whole_run.RUN


def output(artefacts: Path, stage: str) -> Path:
    return artefacts / stage.replace("@", "/")


def asides(artefacts: Path, stage: str) -> list[Path]:
    target = output(artefacts, stage)
    return list(target.parent.glob(f".{target.name}.*"))


@contextlib.contextmanager
def on_a_small_disk(folder: Path, mebibytes: int) -> Iterator[str]:
    """The folder on a disk of its own, or why that can't be; what was there before comes back."""
    kept = folder.with_name(f"{folder.name}.kept")
    folder.rename(kept)
    with contextlib.ExitStack() as mounted:
        try:
            mounted.enter_context(small_disk(folder, mebibytes))
            why_not = ""
        except pytest.skip.Exception as skipped:
            why_not = str(skipped)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield why_not
    shutil.rmtree(folder)
    kept.rename(folder)


@pytest.fixture
def disk(project: Path) -> Iterator[str]:
    with on_a_small_disk(project / "artefacts", 32) as why_not:
        yield why_not


@pytest.fixture
def disk_of_checkpoints(project: Path) -> Iterator[Path]:
    folder = Layout(project).state / "checkpoints"
    with on_a_small_disk(folder, 16):
        yield folder


def say_what_is_full(project: Path, stage: str, folder: Path, leave: int = 0) -> None:
    """The stage, with a full disk at `folder`; its room is given back."""
    artefacts = project / "artefacts"
    filler = fill(folder, leave)
    told = finish(command(project, "-m", "tasks.stages", stage), code=3)
    last = told.strip().splitlines()[-1]
    assert last.startswith(f"{stage}: no space left on the disk") and last.endswith("nothing is lost"), told
    assert "Traceback" not in told
    assert not output(artefacts, stage).exists() and not asides(artefacts, stage)
    filler.unlink()


def be_killed_and_repeated(project: Path, stage: str, before: str) -> None:
    """Killed when its output, of digest `before`, is to get its name."""
    artefacts, result = project / "artefacts", output(project / "artefacts", stage)
    finish(command(project, str(DIE), str(result), stage), code=-signal.SIGKILL)
    assert asides(artefacts, stage)
    assert not result.exists()

    finish(command(project, "-m", "tasks.stages", stage))
    assert tree_digest(result) == before and not asides(artefacts, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_and_a_kill_leave_nothing_half_written_and_the_stage_can_be_repeated(
    project: Path, disk: str, stage: str
) -> None:
    artefacts, result = project / "artefacts", output(project / "artefacts", stage)
    before = tree_digest(result)
    shutil.rmtree(result)
    if not disk:
        say_what_is_full(project, stage, artefacts)
    be_killed_and_repeated(project, stage, before)
    if disk:
        pytest.skip(f"of a full disk nothing was shown: {disk}")


def test_training_outlives_full_disks_and_goes_on(project: Path, disk: str, disk_of_checkpoints: Path) -> None:
    """The disk of its checkpoints is full from the start, then at a checkpoint; that of its output at the end."""
    artefacts, result = project / "artefacts", output(project / "artefacts", "train")
    before = tree_digest(result)
    shutil.rmtree(result)
    if not disk:
        say_what_is_full(project, "train", disk_of_checkpoints)
        say_what_is_full(project, "train", disk_of_checkpoints, leave=64 * 1024)
        for folder in disk_of_checkpoints.glob("*/*/step-*"):
            assert checkpoints.read(folder), f"{folder.name} is half-written"
        say_what_is_full(project, "train", artefacts)
        assert list(disk_of_checkpoints.glob("*/*/step-*")), "with room it came to the end"
    finish(command(project, "-m", "tasks.stages", "train"))
    assert tree_digest(result) == before and not asides(artefacts, "train")
    assert not list(disk_of_checkpoints.glob("*/*/")), "a training that is done leaves no checkpoints"
    if disk:
        pytest.skip(f"of a full disk nothing was shown: {disk}")
