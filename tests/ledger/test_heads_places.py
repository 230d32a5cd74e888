"""A place of heads to which somebody else may write: it stops no other place, and hides nothing from who acts."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.ledger import export
from tasks.ledger.heads import publication
from tests.governed.house import House
from tests.ledger.publishing import append, published, said, verified
from tests.tiny_project import git


def pipe(place: Path, kept: House) -> None:
    os.mkfifo(place / "000000000999.json")


def hole(place: Path, kept: House) -> None:
    with (place / "000000000999.json").open("wb") as file:
        file.truncate(15 << 40)


def folder(place: Path, kept: House) -> None:
    (place / "000000000999.json").mkdir()


def earlier_head(place: Path, kept: House) -> None:
    (place / "000000000999.json").write_bytes((place / "000000000003.json").read_bytes())


def commit(place: Path, message: bytes, data: bytes | None) -> None:
    """Add a commit to the ref of the heads; None: with a folder in place of the head."""
    (place.parent / "message").write_bytes(message)
    (place.parent / "data").write_bytes(data or b"x")
    blob = git(place, "hash-object", "-w", str(place.parent / "data"))
    git(place, "config", "user.name", "x")
    git(place, "config", "user.email", "x@example.org")
    git(place, "read-tree", "--empty")
    git(place, "update-index", "--add", "--cacheinfo", f"100644,{blob},head.json{'/x' * (data is None)}")
    parent = git(place, "rev-parse", "refs/hallmark/ledger")
    made = git(place, "commit-tree", git(place, "write-tree"), "-p", parent, "-F", str(place.parent / "message"))
    git(place, "update-ref", "refs/hallmark/ledger", made)


PUT_IN_A_FOLDER = [pipe, hole, folder, earlier_head]
COMMITTED = {
    "a number without end": (b"Ledger of " + b"9" * 5000 + b" entries", b"x", "holds"),
    "no UTF-8": (b"Ledger of \xff entries", b"x", "holds"),
    "a line end of Unicode": ("a\N{LINE SEPARATOR}b Ledger of 999 entries".encode(), b"x", "holds"),
    "100 MB in a small pack": (b"Ledger of 999 entries", bytes(10**8), "wrong"),
    "a folder": (b"Ledger of 999 entries", None, "wrong"),
}


@pytest.mark.attack(rights="disk", stopped="a head is a small regular file, and says of how many entries it is")
@pytest.mark.parametrize("put", PUT_IN_A_FOLDER)
def test_what_is_put_into_a_folder_stops_nothing_else(
    kept: House, away: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path, House], None]
) -> None:
    other = tmp_path / "other"
    monkeypatch.setenv(publication.PLACES_VARIABLE, f"{away} {other}")
    put(away, kept)
    with pytest.raises(Refused, match=f"{away}: .*; nothing is published there"):
        published(kept)
    assert len(list(other.glob("*.json"))) == 3
    assert "the head of 999 entries" in said(kept, "wrong") and verified(kept).anchored == 8
    assert export.export_ledger(kept.ledger, kept.governance, tmp_path / "all.jsonl").header.heads == 3


@pytest.mark.attack(rights="disk", stopped="the size of a head is bounded before git unpacks it, and so are its digits")
@pytest.mark.parametrize("what", COMMITTED)
def test_what_is_committed_to_a_remote_stops_nothing_else(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    message, data, verdict = COMMITTED[what]
    remote, other = tmp_path / "remote.git", tmp_path / "other"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    monkeypatch.setenv(publication.PLACES_VARIABLE, f"{remote} {other}")
    append(house, 3)
    published(house)
    commit(remote, message, data)
    append(house, 1)
    if verdict == "wrong":
        with pytest.raises(Refused, match="nothing is published there"):
            published(house)
    else:
        assert published(house).delivered == {str(remote): 1, str(other): 1}
    assert len(list(other.glob("*.json"))) == 2 and verified(house).verdict == verdict
