"""A full disk below `.hallmark/`, where DVC's cache lies: said, nothing half-written, mended by room.

Checkpoints lie there as well; test_accidents.py has their disk.
"""

from pathlib import Path

import pytest

from tasks.core.errors import Unavailable
from tasks.core.layout import Layout
from tasks.runs.outputs import dvc
from tests.dvc_stages import run_of
from tests.small_disk import fill, small_disk

STAGES = """
stages:
  big:
    cmd: python -c "open('out.bin', 'wb').write(bytes(range(256)) * 4096)"
    deps: [.dvcignore]
    outs: [out.bin]
"""


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
