"""What a stage left is taken whole, or not at all."""

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import Refused, Unavailable
from tasks.core.files import sha256_bytes
from tasks.core.layout import Layout
from tasks.supervise import fetched_models, output_check, shell
from tasks.supervise.fetched_models import ModelId
from tests import sandbox as sandboxes
from tests.boundary.stage_of import sparse

Plant = Callable[[Path], object]


def hard_link(path: Path) -> None:
    elsewhere = path.parents[3] / "elsewhere"
    elsewhere.write_text("x")
    os.link(elsewhere, path)


def runs_as_its_owner(path: Path) -> None:
    path.write_text("x")
    path.chmod(0o4755)


def listens(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.fixture
def left(tmp_path: Path) -> Path:
    folder = tmp_path / "artefacts" / "clean"
    (folder / "docs").mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    return folder


@pytest.mark.attack(rights="stage", stopped="of what a stage leaves, plain files and folders are taken")
def test_many_small_holes_are_not_written_out(left: Path, tmp_path: Path) -> None:
    with (left / "x").open("wb") as file:
        file.truncate(3 * 4096)
    with pytest.raises(Refused, match="says that it has 12,288 bytes and has fewer"):
        output_check.copy_checked_output(left.parent, "clean", tmp_path / "run" / "clean", "clean")


@pytest.mark.attack(rights="stage", stopped="of what a stage leaves, plain files and folders are taken")
@pytest.mark.parametrize(
    ("plant", "why"),
    [
        (lambda path: path.symlink_to("/etc/passwd"), "is no plain file"),
        (lambda path: path.symlink_to("/"), "is no plain file"),
        (os.mkfifo, "is no plain file"),
        (listens, "is no plain file"),
        (hard_link, "has another name as well"),
        (runs_as_its_owner, "would run as somebody else"),
        (sparse, "says that it has 1,099,511,627,776 bytes and has fewer"),
    ],
)
def test_what_is_no_plain_file_is_not_taken(left: Path, tmp_path: Path, plant: Plant, why: str) -> None:
    plant(left / "docs" / "x")
    target = tmp_path / "run" / "clean"
    with pytest.raises(Refused, match=f"stage clean left clean/docs/x, which {why}; nothing of it is taken"):
        output_check.copy_checked_output(left.parent, "clean", target, "clean")
    assert not target.exists()


def test_the_rest_takes_the_place_of_what_was_there(left: Path, tmp_path: Path) -> None:
    (left / "docs" / "page.html").write_text("a page")
    (left / "docs" / "page.html").chmod(0o777)
    target = tmp_path / "run" / "clean"
    target.mkdir(parents=True)
    (target / "old").write_text("x")
    output_check.copy_checked_output(left.parent, "clean", target, "clean")
    assert sorted(path.name for path in target.rglob("*")) == ["docs", "page.html", "result.json"]
    assert stat.S_IMODE((target / "docs" / "page.html").stat().st_mode) == 0o600


@pytest.mark.attack(rights="stage", stopped="what is taken are copies that only the supervisor ever had open")
def test_a_file_that_is_still_open_elsewhere_changes_nothing(left: Path, tmp_path: Path) -> None:
    """As where a stage handed its own on, through a socket."""
    target = tmp_path / "run" / "clean"
    with (left / "result.json").open("r+") as handed_on:
        output_check.copy_checked_output(left.parent, "clean", target, "clean")
        handed_on.write("[]")
    assert (left / "result.json").read_text() == "[]" and (target / "result.json").read_text() == "{}"


@pytest.mark.attack(rights="stage", stopped="of what a stage leaves, plain files and folders are taken")
def test_folders_without_end_stop_nobody(left: Path, tmp_path: Path) -> None:
    """More of them than Python may call functions in each other."""
    deep = os.open(left, os.O_RDONLY)
    for _ in range(1_100):
        os.mkdir("a", dir_fd=deep)
        inner = os.open("a", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    try:
        with pytest.raises(Refused, match="what stage clean left cannot be read"):
            output_check.copy_checked_output(left.parent, "clean", tmp_path / "run" / "clean", "clean")
    finally:
        output_check.remove_forcibly(left)  # pytest could not either
    assert not left.exists()


@pytest.mark.attack(rights="stage", stopped="of what a stage leaves all is taken, or nothing")
def test_a_folder_that_cannot_be_opened_is_not_passed_over(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def shut(path: Any, *given: Any, **named: Any) -> int:
        if path == "docs":  # root may open what has no permission for anybody
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *given, **named)

    monkeypatch.setattr(os, "open", shut)
    with pytest.raises(Refused, match="cannot be read"):
        output_check.copy_checked_output(left.parent, "clean", tmp_path / "run" / "clean", "clean")
    assert not list((tmp_path / "run").iterdir())


def test_a_full_disk_is_told_as_one_and_leaves_nothing_half(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output_check.files, "copy_open_file", full)
    with pytest.raises(Unavailable, match="no space left on that disk; free some and run it again"):
        output_check.copy_checked_output(left.parent, "clean", tmp_path / "run" / "clean", "clean")
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.attack(rights="stage", stopped="a fetched model is kept where it is the one that parameters state")
def test_another_model_than_was_asked_for_is_not_kept(tmp_path: Path) -> None:
    layout, box = Layout(tmp_path / ".hallmark" / "runs" / "r1"), tmp_path / "box"
    box.mkdir()
    wanted = sha256_bytes(b"weights")
    for text, kept in (("another", False), ("weights", True)):
        (box / wanted).write_text(text)
        model = ModelId(wanted, is_folder=False)
        fetched_models.store_model(layout, model, box, "base_model")
        assert (fetched_models.find_model(layout, model) is not None) is kept
    names = {path.name for path in fetched_models.models_folder(layout).iterdir()}
    assert names <= {wanted, f".{wanted}.lock"}


@pytest.mark.attack(rights="stage", stopped="an output is a folder, since a file can have the digest of a folder")
@pytest.mark.parametrize("left", ["artefacts", "measured"])
def test_a_file_is_no_output(tmp_path: Path, left: str) -> None:
    made = sandboxes.make(tmp_path)
    (tmp_path / "box" / left / "predict").mkdir()
    (tmp_path / "box" / left / "predict" / "base").write_text("{}")
    with pytest.raises(Refused, match=f"left a file in place of the folder {left}/predict/base"):
        shell._take_outputs("predict@base", Layout(made.root), made)
