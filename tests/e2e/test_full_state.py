"""A full disk below `.hallmark/`, where checkpoints and DVC's cache lie: said, nothing half-written, mended by room."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.errors import Unavailable
from tasks.core.files import tree_digest
from tasks.core.layout import Layout
from tasks.runs import dvc
from tasks.stages.train import checkpoints
from tests.checkouts import Checkouts
from tests.dvc_stages import run_of
from tests.small_disk import fill, small_disk

STAGES = """
stages:
  big:
    cmd: python -c "open('out.bin', 'wb').write(bytes(range(256)) * 4096)"
    deps: [.dvcignore]
    outs: [out.bin]
"""


def train(project: Path) -> "subprocess.CompletedProcess[str]":
    """`python -m tasks.stages train` in the project, with the project's code and this environment's `python`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(project)}
    command = [sys.executable, "-m", "tasks.stages", "train"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.by_hand(tmp_path_factory.mktemp("full"))


@pytest.fixture
def checkpoint_disk(project: Path) -> Iterator[Path]:
    """.hallmark/checkpoints on a disk of 16 MiB of its own."""
    folder = project / ".hallmark" / "checkpoints"
    shutil.rmtree(folder)  # the lock of the training that was done by hand
    with small_disk(folder, mebibytes=16):
        yield folder
    folder.rmdir()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_training_says_that_the_disk_of_its_checkpoints_is_full(project: Path, checkpoint_disk: Path) -> None:
    """From the start, then at a checkpoint; with room it goes on."""
    output = Layout(project).stage("train")
    shutil.rmtree(output)
    for leave in (0, 64 * 1024):
        filler = fill(checkpoint_disk, leave)
        done = train(project)
        assert done.returncode == 3, done.stdout + done.stderr
        told = done.stderr.strip().splitlines()[-1]
        assert told.startswith("train: no space left on the disk") and told.endswith("nothing is lost"), told
        assert "Traceback" not in done.stderr
        assert not output.exists() and not list(output.parent.glob(".train.*"))
        for folder in checkpoint_disk.glob("*/step-*"):
            assert checkpoints.read(folder), f"{folder.name} is half-written"
        filler.unlink()
    done = train(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree_digest(output / "adapter")
    assert not list(checkpoint_disk.glob("*/")), "a training that is done leaves no checkpoints"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A run of one stage that leaves a mebibyte."""
    return run_of(tmp_path, STAGES)


@pytest.mark.slow
def test_a_stage_says_that_the_disk_of_dvcs_cache_is_full(layout: Layout) -> None:
    cache = layout.state / "cache"
    with small_disk(cache, mebibytes=4):
        filler = fill(cache, leave=256 * 1024)
        with pytest.raises(Unavailable) as caught:
            dvc.repro(layout, "big", print)
        assert "stage big: no space left on the disk" in str(caught.value) and "nothing is lost" in str(caught.value)
        assert not (layout.root / "dvc.lock").exists(), "the stage doesn't count as done"
        assert not list(cache.glob("files/md5/*/[!.]*")), "nothing stands under a digest in part"
        filler.unlink()
        assert not dvc.repro(layout, "big", print).cached
        (layout.root / "out.bin").unlink()
        assert dvc.repro(layout, "big", print).cached
        assert (layout.root / "out.bin").stat().st_size == 2**20
