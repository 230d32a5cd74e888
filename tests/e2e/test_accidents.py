"""A full disk and a killed process in each stage that works with a model. tests/stages/data has those of data."""

import contextlib
import shutil
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tasks.core.files import tree_digest
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.stages.train.recovery import checkpoints
from tests import whole_run
from tests.checkouts import Checkouts
from tests.forking import Forking, importing
from tests.small_disk import fill, small_disk
from tests.soaking import soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STAGES = ["base_model", "evaluate", "package"]
WITH_A_MODEL = ["predict@candidate"]
STAGE = """
import sys
from tasks.stages.__main__ import main
sys.exit(main())
"""
DIE = (
    """
import os, signal, sys
def die(event, args, target=sys.argv.pop(1)):
    if event == "os.rename" and str(args[1]) == target:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die)
"""
    + STAGE
)
"""The stage, whose process is killed when its output is to get its name."""


WITHOUT_RAY = """
import sys
from pathlib import Path
from tasks.core.layout import Layout
from tests.stages.train import without_ray
without_ray.alone(Path(sys.argv[1]))
without_ray.run(Layout(Path.cwd()))
"""


@pytest.fixture(scope="module")
def processes() -> Iterator[Forking]:
    """Processes that have imported what the stages need."""
    with importing(
        "torch",
        "transformers.models.llama.modeling_llama",
        *{DVC_STAGES[name].module_name for name in STAGES + WITH_A_MODEL},
    ) as made:
        yield made


def run_stage(processes: Forking, project: Path, stage: str, code: int = 0) -> str:
    """Run a stage in the project; what it printed to its errors."""
    done = processes.run(STAGE, stage, cwd=project)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr


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


def say_what_is_full(processes: Forking, project: Path, stage: str, folder: Path, leave: int = 0) -> None:
    """Run the stage with a full disk at `folder`; its room is given back."""
    artefacts = project / "artefacts"
    filler = fill(folder, leave)
    told = run_stage(processes, project, stage, code=3)
    last = told.strip().splitlines()[-1]
    assert last.startswith(f"{stage}: no space left on the disk") and last.endswith("nothing is lost"), told
    assert "Traceback" not in told
    assert not output(artefacts, stage).exists() and not asides(artefacts, stage)
    filler.unlink()


def be_killed_and_repeated(processes: Forking, project: Path, stage: str, before: str) -> None:
    """Kill the stage when its output, of digest `before`, is to get its name."""
    artefacts, result = project / "artefacts", output(project / "artefacts", stage)
    done = processes.run(DIE, result, stage, cwd=project)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    assert asides(artefacts, stage)
    assert not result.exists()

    run_stage(processes, project, stage)
    assert tree_digest(result) == before and not asides(artefacts, stage)


@pytest.mark.parametrize("stage", [*STAGES, *soak(WITH_A_MODEL)])
def test_a_full_disk_and_a_kill_leave_nothing_half_written_and_the_stage_can_be_repeated(
    processes: Forking, project: Path, disk: str, stage: str
) -> None:
    artefacts, result = project / "artefacts", output(project / "artefacts", stage)
    before = tree_digest(result)
    shutil.rmtree(result)
    if not disk:
        say_what_is_full(processes, project, stage, artefacts)
    be_killed_and_repeated(processes, project, stage, before)
    if disk:
        pytest.skip(f"of a full disk nothing was shown: {disk}")


FOR_SOME = 1024 * 1024
"""Bytes in which some checkpoints of the tiny training fit, and not all that it keeps at a time."""


def test_training_outlives_a_disk_that_runs_full_at_a_checkpoint_and_goes_on(
    processes: Forking, project: Path, disk: str, disk_of_checkpoints: Path
) -> None:
    result = output(project / "artefacts", "train")
    before = tree_digest(result)
    shutil.rmtree(result)
    if not disk:
        say_what_is_full(processes, project, "train", disk_of_checkpoints, leave=FOR_SOME)
        require_whole(left := list(disk_of_checkpoints.glob("*/*/step-*")))
        assert left
    come_to_its_end(processes, project, disk_of_checkpoints, before)
    if disk:
        pytest.skip(f"of a full disk nothing was shown: {disk}")


def require_whole(folders: Iterable[Path]) -> None:
    for folder in folders:
        assert checkpoints.read_checkpoint(folder), f"{folder.name} is half-written"


def come_to_its_end(processes: Forking, project: Path, disk_of_checkpoints: Path, before: str) -> None:
    """Train again without Ray, to the digest `before`. tests/stages/train/test_train.py resumes on Ray."""
    meeting = project / ".hallmark-meeting"
    done = processes.run(WITHOUT_RAY, meeting, cwd=project)
    meeting.unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree_digest(output(project / "artefacts", "train")) == before and not asides(project / "artefacts", "train")
    assert not list(disk_of_checkpoints.glob("*/*/")), "a training that is done leaves no checkpoints"


@pytest.mark.soak
def test_training_outlives_disks_that_are_full_from_the_start_and_at_its_end(
    processes: Forking, project: Path, disk: str, disk_of_checkpoints: Path
) -> None:
    """The disk of its checkpoints at first, then that of its output."""
    artefacts, result = project / "artefacts", output(project / "artefacts", "train")
    before = tree_digest(result)
    if disk:
        pytest.skip(disk)
    shutil.rmtree(result)
    for leave in (0, 64 * 1024):
        say_what_is_full(processes, project, "train", disk_of_checkpoints, leave)
        require_whole(disk_of_checkpoints.glob("*/*/step-*"))
    say_what_is_full(processes, project, "train", artefacts)
    assert list(disk_of_checkpoints.glob("*/*/step-*")), "with room it came to the end"
    come_to_its_end(processes, project, disk_of_checkpoints, before)
