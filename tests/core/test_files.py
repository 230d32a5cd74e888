"""Outputs appear whole or not at all, and what others wrote is bounded."""

import os
from pathlib import Path

import pytest

from tasks.core.files import (
    STATE_UMASK,
    FolderTakenError,
    atomic_file,
    atomic_folder,
    copy_tree,
    new_atomic_folder,
    read_json,
    write_json,
)


def test_a_folder_replaces_the_old_one_whole_and_clears_what_a_killed_process_left(tmp_path: Path) -> None:
    for left in (f".out.{'a' * 16}", f".out.{'0' * 16}", ".output.other"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "half").touch()
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "result").touch()
        assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".output.other", "out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["result"]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "out") as folder:
        (folder / "new").touch()
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["old", "out"]


def test_a_folder_has_its_name_when_all_of_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: set[int] = set()
    flush, rename = os.fsync, Path.rename

    def noted(handle: int) -> None:
        flush(handle)
        flushed.add(os.fstat(handle).st_ino)

    def renamed(aside: Path, target: Path) -> Path:
        assert {path.stat().st_ino for path in (*aside.rglob("*"), aside)} <= flushed
        return rename(aside, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "rename", renamed)
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "below").mkdir()
        for name in ("records.npy", "below/part"):
            (folder / name).write_bytes(b"not flushed by who wrote it")
    assert (tmp_path / "out" / "below" / "part").exists() and len(flushed) == 4


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "file.json", {"figure": 1.0})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"figure": float("nan")})
    assert read_json(tmp_path / "file.json") == {"figure": 1.0}
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]


def test_a_file_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_file(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old" and [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_copied_folder_is_as_private_as_what_it_is_copied_to(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deeper").mkdir(parents=True, mode=0o755)
    (source / "deeper" / "file").write_text("content")
    for path in (source, source / "deeper", source / "deeper" / "file"):
        path.chmod(0o777)
    before = os.umask(STATE_UMASK)
    try:
        copy_tree(source, target)
    finally:
        os.umask(before)
    assert (target / "deeper" / "file").read_text() == "content"
    assert not any(path.stat().st_mode & STATE_UMASK for path in (target, *target.rglob("*")))


def test_what_is_somebody_elses_stays_beside_a_folder(tmp_path: Path) -> None:
    """`hallmark backup DIR` names any folder, and a state that was moved away lies beside it as .hallmark.old."""
    for name in (".out.old", ".out.d", ".out.0123456789abcdef"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ledger.db").write_text("all there is")
    with atomic_folder(tmp_path / "out"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.d", ".out.old", "out"]


def test_a_new_folder_that_another_process_writes_is_left_to_it(tmp_path: Path) -> None:
    with new_atomic_folder(tmp_path / "out") as first:
        (first / "mine").touch()
        with pytest.raises(FolderTakenError), new_atomic_folder(tmp_path / "out"):
            pass
        assert (first / "mine").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_new_folder_that_another_process_wrote_meanwhile_stays(tmp_path: Path) -> None:
    with pytest.raises(FolderTakenError), new_atomic_folder(tmp_path / "out"):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "theirs"]


def test_what_a_killed_process_left_of_a_new_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / f".out.{'0' * 16}" / "half").mkdir(parents=True)
    with new_atomic_folder(tmp_path / "out"):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]
