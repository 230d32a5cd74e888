"""Files that an experiment keeps between runs are removed if its stage was ended for lack of space."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.core.errors import Unavailable
from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.core.machine.locks import hold_exclusive_lock
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
    write_json(layout.authority_path, {"tier": "experiment"})
    write_json(layout.code_path, {"signed_off": signed_off})
    monkeypatch.setattr(shell, "LIMITS", replace(shell.LIMITS, min_disk_share=1.0, enough_free_bytes=1e18))
    time.sleep(0.05)
    with pytest.raises(Unavailable), shell._free_space_afterwards(layout, made, tmp_path / "box"):
        assert inside(made, f"KEPT = {str(kept)!r}{FILLS}")
        raise Unavailable("it was ended, since the disk has little left")
    if signed_off:
        assert len(written(kept)) == 8
    else:
        assert written(kept) == {f"a/{STEP}/state"}
        assert not (tmp_path / "box").exists()


def lay_out(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("written")


def test_finished_work_stays_if_the_disk_has_space_without_the_rest(tmp_path: Path) -> None:
    kept, piece = tmp_path / "kept", "tickets/" + "0" * 64 + "/rows.parquet"
    lay_out(kept, "old/state")
    began = time.time()
    time.sleep(0.05)
    lay_out(kept, f"a/{STEP}/state", f"a/.{STEP}/state", "a/scratch/log", piece, f"a/b/{STEP}/state", "held.lock")
    with hold_exclusive_lock(kept / "held.lock", ""):  # as a stage can
        for lacks_space, left in ((False, {f"a/{STEP}/state", piece, "old/state"}), (True, {"old/state"})):
            kept_files.mark_for_removal([kept], began)
            kept_files.remove_marked([kept], lambda lacks=lacks_space: lacks)
            assert written(kept) == left


@pytest.mark.attack(rights="commit", stopped="the last of several stages to end removes what all of them wrote")
def test_what_another_stage_of_the_same_code_spared_goes_when_that_ends(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    began = time.time()
    time.sleep(0.05)
    lay_out(kept, "fill/data")
    with kept_files.prevent_removal([kept]):
        kept_files.mark_for_removal([kept], began)
        kept_files.remove_marked([kept], lambda: True)
        assert written(kept) == {"fill/data"}
        kept_files.mark_for_removal([kept], time.time())
    kept_files.remove_marked([kept], lambda: True)
    assert not written(kept)


@pytest.mark.attack(rights="commit", stopped="removal takes no process for each folder, and has a limit in seconds")
def test_many_closed_or_deep_folders_are_removed_by_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    deep = kept / "/".join("d" * 300)
    deep.mkdir(parents=True)
    (deep / "data").write_text("written")
    (kept / "link").symlink_to(tmp_path)
    for number in range(100):
        (kept / "a" / str(number)).mkdir(parents=True, mode=0)
        (kept / str(number)).mkdir()
    kept_files.mark_for_removal([kept], 0.0)
    monkeypatch.setattr(kept_files, "MAX_REMOVAL_SECONDS", -1.0)
    kept_files.remove_marked([kept], lambda: False)
    assert len(list(kept.iterdir())) == 103
    monkeypatch.setattr(kept_files, "MAX_REMOVAL_SECONDS", 300.0)
    monkeypatch.delattr(subprocess, "Popen")
    kept_files.remove_marked([kept], lambda: False)
    assert not list(kept.iterdir()) and tmp_path.is_dir()
