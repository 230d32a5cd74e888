"""A file that a stage writes is handed on while it grows, and nothing else by its name."""

import os
from functools import partial
from pathlib import Path

import pytest

from tasks.supervise import live_files
from tests.patience import wait_until


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(live_files, "COPY_SECONDS", 0.01)
    (tmp_path / "left").mkdir()
    return tmp_path / "left"


def says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def test_it_grows_with_the_stages_file(left: Path, tmp_path: Path) -> None:
    handed = tmp_path / "worktree" / "points"
    handed.parent.mkdir()
    handed.write_text("of a run before")
    with live_files.copy_growing_files(["points"], left, handed.parent):
        wait_until(lambda: not handed.exists(), "the file of before is gone")
        for text in ("one\n", "one\ntwo\n"):
            (left / "points").write_text(text)
            wait_until(partial(says, handed, text), text)
        (left / "points").rename(left / "before")
        (left / "points").write_text("another, which is longer")
        wait_until(partial(says, handed, "another, which is longer"), "the file that was begun anew")
        (left / "points").write_text("another, which is longer, at its end")
    assert says(handed, "another, which is longer, at its end")


@pytest.mark.attack(rights="stage", stopped="a stage's links are not followed when its file is handed on")
@pytest.mark.parametrize("what", ["link", "folder", "pipe", "folder that is a link"])
def test_what_is_no_file_is_not_handed_on(left: Path, tmp_path: Path, what: str) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "points").write_text("secret")
    if what == "link":
        (left / "points").symlink_to(tmp_path / "keys" / "points")
    elif what == "folder":
        (left / "points").mkdir()
    elif what == "pipe":
        os.mkfifo(left / "points")
    else:
        left.rmdir()
        left.symlink_to(tmp_path / "keys")
    with live_files.copy_growing_files(["points"], left, tmp_path / "worktree"):
        pass
    assert list((tmp_path / "worktree").iterdir()) == []
