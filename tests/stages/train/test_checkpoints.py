"""Checkpoints appear whole, are checked before use, and two are kept; one run at a time works on them."""

import contextlib
import io
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.stages.train.recovery import checkpoints
from tests.patience import wait_until
from tests.tiny_project import ROOT


def put(folder: Path, step: int, inputs: str = "") -> Path:
    aside = checkpoints.unfinished_folder(folder, step)
    checkpoints.create_empty_folder(aside)
    (aside / "state").mkdir()
    (aside / "state" / "weights.pt").write_bytes(b"weights" * step)
    curve = [{"step": number, "loss": 4.25} for number in range(1, step + 1)]
    made = checkpoints.Checkpoint(aside, step, curve, 1, {}, inputs)
    checkpoints.commit_checkpoint(aside, made, checkpoints.worker_part_digests(aside, 0))
    return folder / f"step-{step:09d}"


def test_the_newest_is_found_and_two_are_kept(tmp_path: Path) -> None:
    for step in (2, 10, 9):
        put(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000009", "step-000000010"]
    found = checkpoints.newest_checkpoint(tmp_path)
    assert found is not None and (found.step, len(found.curve)) == (10, 10)


def test_a_fresh_start_has_none(tmp_path: Path) -> None:
    assert checkpoints.newest_checkpoint(tmp_path) is None


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "add", "manifest", "no manifest", "figure", "deep"])
def test_damage_of_any_kind_is_seen(tmp_path: Path, damage: str) -> None:
    put(tmp_path, 1)
    newest = put(tmp_path, 2)
    weights, manifest = newest / "state" / "weights.pt", newest / checkpoints.MANIFEST_FILE
    match damage:
        case "flip":
            weights.write_bytes(b"x" + weights.read_bytes()[1:])
        case "cut":
            weights.write_bytes(weights.read_bytes()[:-1])
        case "remove":
            weights.unlink()
        case "add":
            (newest / "more").touch()
        case "manifest":
            manifest.write_text(manifest.read_text()[:-5])
        case "no manifest":
            manifest.unlink()
        case "figure":
            manifest.write_text(manifest.read_text().replace("4.25", "0.25"))
        case "deep":
            manifest.write_text("[" * 100_000)
    found = checkpoints.newest_checkpoint(tmp_path)
    assert found is not None and found.step == 1


def test_what_is_of_another_training_is_passed_over(tmp_path: Path) -> None:
    """However it came there."""
    put(tmp_path, 1, "a")
    put(tmp_path / "other", 9, "b").rename(tmp_path / "step-000000009")
    said: list[str] = []
    found = checkpoints.newest_checkpoint(tmp_path, "a", said.append)
    assert found is not None and found.step == 1
    assert len(said) == 1 and said[0].startswith("checkpoint step-000000009 is of another training")
    assert checkpoints.read_checkpoint(tmp_path / "other-step-000000009"), "somebody may have put it there for a while"


def test_what_else_lies_there_is_left_alone_or_makes_way(tmp_path: Path) -> None:
    backup = tmp_path / "step-000000009.bak"
    put(tmp_path, 9).rename(backup)
    (tmp_path / "step-000000001").touch()
    (tmp_path / "step-000000002").symlink_to(backup)
    for step in (2, 3, 4):
        put(tmp_path, step)
    assert checkpoints.list_checkpoint_folders(tmp_path) == [tmp_path / "step-000000003", tmp_path / "step-000000004"]
    assert (backup / "state" / "weights.pt").is_file()


def test_who_is_killed_while_an_old_one_is_removed_leaves_none_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, 1)
    put(tmp_path, 2)
    remove = shutil.rmtree

    def remove_in_part(folder: Path, ignore_errors: bool = False) -> None:
        if (folder / checkpoints.MANIFEST_FILE).exists():
            remove(folder / "state")
            raise KeyboardInterrupt

    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(shutil, "rmtree", remove_in_part)
        put(tmp_path, 3)
    assert all(checkpoints.read_checkpoint(path) for path in checkpoints.list_checkpoint_folders(tmp_path))
    put(tmp_path, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000003", "step-000000004"]


def test_a_rest_that_cannot_be_removed_ends_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".dropped" / "held").mkdir(parents=True)
    remove = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda path, **how: path.name == ".dropped" or remove(path, **how))
    for step in (1, 2, 3):
        put(tmp_path, step)
    assert [path.name for path in checkpoints.list_checkpoint_folders(tmp_path)] == ["step-000000002", "step-000000003"]


def test_what_was_not_committed_does_not_count(tmp_path: Path) -> None:
    put(tmp_path, 1)
    aside = checkpoints.unfinished_folder(tmp_path, 2)
    checkpoints.create_empty_folder(aside)
    (aside / "half").touch()
    found = checkpoints.newest_checkpoint(tmp_path)
    assert found is not None and found.step == 1
    checkpoints.create_empty_folder(aside)
    assert list(aside.iterdir()) == []


def test_a_folder_goes_while_it_is_held_and_stays_where_work_was_broken_off(tmp_path: Path) -> None:
    """Taken away later, it would be taken from the run that waited for it."""
    with pytest.raises(ZeroDivisionError), checkpoints.lock_checkpoint_folder(tmp_path / "run") as folder:
        (folder / "kept").touch()
        raise ZeroDivisionError
    with checkpoints.lock_checkpoint_folder(tmp_path / "run") as folder:
        assert (folder / "kept").exists()
    assert not folder.exists()


@pytest.mark.parametrize("odd", ["a file", "a link", "a lock that is a folder"])
def test_what_no_training_left_at_its_place_is_told(tmp_path: Path, odd: str) -> None:
    """What a link leads to would be taken away at the end."""
    run, victim = tmp_path / "run", tmp_path / "victim"
    victim.mkdir()
    if odd == "a file":
        run.touch()
    elif odd == "a link":
        run.symlink_to(victim)
    else:
        (tmp_path / "run.lock").mkdir()
    with (
        pytest.raises(Refused, match=r"is not what a training left there; .* remove it"),
        checkpoints.lock_checkpoint_folder(run),
    ):
        raise AssertionError("claimed")
    assert victim.is_dir()


def test_the_room_that_is_tried_is_in_no_file_that_lies_there(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".room").symlink_to(tmp_path / "victim")
    checkpoints.require_disk_space(tmp_path / "run")
    assert (tmp_path / "victim").read_text() == "precious"


HOLD = """
import sys
from pathlib import Path
from tasks.stages.train.recovery import checkpoints
with checkpoints.lock_checkpoint_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_waits_until_the_first_is_gone(tmp_path: Path) -> None:
    """It says so where what a command prints as JSON stays so."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "run"], cwd=ROOT, **pipes) as first:
        assert first.stdout.readline() == b"held\n"
        said, printed = io.StringIO(), io.StringIO()

        def end_the_first() -> None:
            wait_until(lambda: "waiting until it is over" in said.getvalue(), "the second run to wait")
            first.kill()

        ending = threading.Thread(target=end_the_first)
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(printed):
            ending.start()
            with checkpoints.lock_checkpoint_folder(tmp_path / "run") as folder:
                assert folder.is_dir()
                ending.join()
        assert first.wait() == -signal.SIGKILL and not printed.getvalue()


def test_a_damaged_one_does_not_count_among_the_newest(tmp_path: Path) -> None:
    for step in (15, 20):
        (put(tmp_path, step) / "more").touch()
    assert checkpoints.newest_checkpoint(tmp_path) is None
    put(tmp_path, 5)
    found = checkpoints.newest_checkpoint(tmp_path)
    assert found is not None and found.step == 5
