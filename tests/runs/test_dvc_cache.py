"""What comes out of DVC's cache has the names and the bytes of a signed record, whoever may write there."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tasks.core import files
from tasks.core.files import sha256_bytes
from tasks.core.layout import Layout
from tasks.runs.outputs import dvc_cache

pytestmark = pytest.mark.attack(rights="disk", stopped="names and bytes are those of the record")

ROWS, LISTING = "1" * 32, "2" * 32
LEFT = {"artefacts/clean/rows": sha256_bytes(b"rows")}
LOCK: dict[str, Any] = {"outs": [{"path": "artefacts/clean", "md5": f"{LISTING}.dir"}]}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / ".hallmark" / "runs" / "r1")
    put(made, ROWS, b"rows")
    put(made, f"{LISTING}.dir", listing({"md5": ROWS, "relpath": "rows"}))
    (made.artefacts("clean")).mkdir(parents=True)
    (made.artefacts("clean") / "left").write_text("of somebody else")
    return made


def put(layout: Layout, name: str, content: bytes) -> Path:
    path = layout.state / "cache" / "files" / "md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def listing(*items: Any) -> bytes:
    return json.dumps(items).encode()


def restore(layout: Layout, lock: dict[str, Any] = LOCK) -> bool:
    return dvc_cache.restore_outputs(layout, "clean", lock, LEFT)


def test_what_is_there_as_signed_is_put_in_place(layout: Layout) -> None:
    assert restore(layout)
    assert [path.name for path in layout.artefacts("clean").iterdir()] == ["rows"]
    assert (layout.artefacts("clean") / "rows").read_bytes() == b"rows"


OUTSIDE = f"/tmp/hallmark-outside-{os.getpid()}"


@pytest.mark.parametrize(
    "items",
    [
        ({"md5": ROWS, "relpath": "../../../../../outside"},),
        ({"md5": ROWS, "relpath": "rows"}, {"md5": ROWS, "relpath": OUTSIDE}),
        ({"md5": "zz/VICTIM", "relpath": "rows"},),
        ({"md5": "../../../VICTIM", "relpath": "rows"},),
        ({"relpath": "rows"},),
        ("rows",),
        (),
    ],
    ids=["up", "a root", "a path", "another path", "no digest", "no item", "nothing"],
)
def test_a_list_with_other_names_brings_and_removes_nothing_but_itself(layout: Layout, items: tuple[Any, ...]) -> None:
    victim = layout.state / "ledger.db"
    victim.write_text("ledger")
    text = listing(*items).replace(b"VICTIM", os.fsencode(victim))
    place = put(layout, f"{LISTING}.dir", text)
    assert not restore(layout)
    dvc_cache.remove_corrupt_objects(layout, "clean", LOCK, LEFT)
    assert victim.exists() and not place.exists()
    assert not (layout.state.parent.parent / "outside").exists() and not Path(OUTSIDE).exists()
    assert (layout.artefacts("clean") / "left").exists(), "nothing was put in place"


@pytest.mark.parametrize("more", ["../../../../victim", "/VICTIM", "artefacts/ingest", "artefacts", "."])
def test_a_lock_about_something_else_as_well_removes_nothing(layout: Layout, tmp_path: Path, more: str) -> None:
    (victim := tmp_path / "victim").mkdir()
    (layout.artefacts("ingest")).mkdir(parents=True)
    put(layout, "3" * 32 + ".dir", listing())
    out = {"path": more.replace("/VICTIM", str(victim)), "md5": "3" * 32 + ".dir"}
    assert not restore(layout, {"outs": [*LOCK["outs"], out]})
    assert victim.exists() and layout.artefacts("ingest").exists()


@pytest.mark.parametrize("how", ["pipe", "deep", "long"])
def test_a_list_that_cannot_be_read_is_removed(layout: Layout, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_STAGE_JSON_BYTES", 2**20)
    place = put(layout, f"{LISTING}.dir", b"[" * 10_000 if how == "deep" else b" " * (2**20 + 1))
    if how == "pipe":
        place.unlink()
        os.mkfifo(place)
    assert not restore(layout)
    dvc_cache.remove_corrupt_objects(layout, "clean", LOCK, LEFT)
    assert not place.exists()


@pytest.mark.parametrize("lock", [{}, {"outs": None}, {"outs": [{}]}, {"outs": [{"path": "x", "md5": 5}]}, {"outs": 3}])
def test_a_lock_that_says_nothing_brings_nothing(layout: Layout, lock: dict[str, Any]) -> None:
    assert not restore(layout, lock)


@pytest.mark.parametrize("how", ["bytes", "pipe", "link", "folder", "gone"])
def test_an_object_that_is_something_else_goes(layout: Layout, tmp_path: Path, how: str) -> None:
    path = put(layout, ROWS, b"other bytes")
    if how != "bytes":
        path.unlink()
    (tmp_path / "rows").write_bytes(b"rows")
    if how == "pipe":
        os.mkfifo(path)
    elif how == "link":
        path.symlink_to(tmp_path / "rows")
    elif how == "folder":
        (path / "more").mkdir(parents=True)
    assert not restore(layout)
    assert not path.exists() and not path.is_symlink() and (tmp_path / "rows").exists()


def test_dvc_meets_no_pipe(layout: Layout) -> None:
    path = layout.state / "cache" / "files" / "md5" / "ab" / "cd"
    path.parent.mkdir()
    os.mkfifo(path)
    dvc_cache.remove_special_files(layout)
    assert not path.exists() and restore(layout)
