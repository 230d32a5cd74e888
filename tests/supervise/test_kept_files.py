"""What a stage of an experiment keeps between runs does not fill the disk after the stage was ended for that."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.core.errors import Unavailable
from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.core.machine.locks import hold
from tasks.supervise import kept_files, shell
from tests.sandbox import inside, make, needs_sandbox

STEP = "step-000000010"
FILLS = """
import os
for name in ("weights", "a/.step-000000020/state", "a/step-000000010/more", "b/step-000000010/x/y/z", "c"):
    os.makedirs(os.path.dirname(f"{KEPT}/{name}"), exist_ok=True)
    with open(f"{KEPT}/{name}", "wb") as file:
        file.write(b"x" * 2**20)
os.utime(f"{KEPT}/weights", (0, 0))
os.mkfifo(f"{KEPT}/a.lock")
os.symlink("/etc/hosts", f"{KEPT}/link")
os.chmod(f"{KEPT}/b/step-000000010/x", 0)
found = True
"""


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


@needs_sandbox
@pytest.mark.attack(rights="commit", stopped="what it wrote is removed when a stage has left too little space")
@pytest.mark.parametrize("signed_off", [False, True])
def test_what_a_stage_kept_goes_when_it_is_ended_for_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed_off: bool
) -> None:
    kept = tmp_path / "kept"
    before = kept / "a" / STEP / "state"
    before.parent.mkdir(parents=True)
    before.write_text("of an earlier run")
    made = make(tmp_path, writable_folders=(kept,))
    layout = Layout(made.root)
    write_json(layout.authority, {"tier": "experiment"})
    write_json(layout.code, {"signed_off": signed_off})
    monkeypatch.setattr(shell, "LIMITS", replace(shell.LIMITS, min_disk_share=1.0, enough_free_bytes=1e18))
    time.sleep(0.05)
    with pytest.raises(Unavailable), shell._space_freed(layout, made, tmp_path / "box"):
        assert inside(made, f"KEPT = {str(kept)!r}{FILLS}")
        raise Unavailable("it was ended, since the disk has little left")
    if signed_off:
        assert len(written(kept)) == 8
    else:
        assert written(kept) == {f"a/{STEP}/state"}
        assert not (tmp_path / "box").exists()


def test_finished_work_stays_if_the_disk_has_space_without_the_rest(tmp_path: Path) -> None:
    began = time.time()
    time.sleep(0.05)
    piece = "tickets/" + "0" * 64 + "/rows.parquet"
    for name in (f"a/{STEP}/state", f"a/.{STEP}/state", "a/scratch/log", piece, f"a/b/{STEP}/state", "held/state"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("written")
    with hold(tmp_path / "held.lock", ""):
        kept_files.remove_written([tmp_path], began, lambda: False)
        assert written(tmp_path) == {f"a/{STEP}/state", piece, "held/state", "held.lock"}
        kept_files.remove_written([tmp_path], began, lambda: True)
        assert written(tmp_path) == {"held/state", "held.lock"}
