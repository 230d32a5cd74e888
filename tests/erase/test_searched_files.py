"""A search reads all files of a folder, and lists what it did not read."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.cleanup import tracked_runs
from tasks.erase import searched_files, verification
from tasks.erase.search_terms import SearchTerms
from tasks.erase.searched_files import Gaps, may_hold_rows, walk_entries
from tasks.erase.subject import Subject
from tasks.runs.checkout import Checkout
from tasks.suppression.place_kinds import OTHER, kind_of_path

ADA = "Ada Lovelace"


def walked(folder: Path) -> tuple[list[str], list[str]]:
    gaps = Gaps(lambda place: place)
    entries = list(walk_entries(folder, gaps))
    return [entry.path.relative_to(folder).as_posix() for entry in entries if entry.size is not None], gaps.texts()


def test_a_folder_on_another_disk_is_searched_and_other_links_are_told(tmp_path: Path) -> None:
    folder, disk = tmp_path / "state", tmp_path / "disk"
    (folder / "runs").mkdir(parents=True)
    (disk / "files").mkdir(parents=True)
    (disk / "files" / "object").write_text(ADA)
    (folder / "runs" / "file").write_text(ADA)
    (folder / "cache").symlink_to(disk)
    (folder / "runs" / "same").symlink_to(folder / "runs" / "file")
    (folder / "runs" / "cached").symlink_to(disk / "files")
    (folder / "runs" / "nothing").symlink_to(tmp_path / "gone")
    assert walked(folder) == (["cache/files/object", "runs/file"], []), "what links lead to is searched once"
    (tmp_path / "elsewhere").mkdir()
    (folder / "runs" / "deep").symlink_to(tmp_path / "elsewhere")
    assert walked(folder)[1] == [f"{searched_files.LINK}: runs/deep"]


def test_names_of_folders_and_links_are_searched(plain: Checkout) -> None:
    home = plain.state / "runs" / "r"
    for folder in (home / f"{ADA}'s" / "inner", home / "Ada" / "Lovelace", home / "nobody", plain.root / "artefacts"):
        folder.mkdir(parents=True)
    (plain.state / "Ada_Lovelace").symlink_to("gone")
    (home / "nobody" / "link").symlink_to("../gone/ada-lovelace.csv")
    (home / "nobody" / "inside").symlink_to(home / "nobody")
    (plain.root / "artefacts" / "lovelace").symlink_to(f"/mnt/{ADA}/store")
    os.mkfifo(home / "nobody" / ADA)
    terms = SearchTerms(Subject(values=[ADA], tokens=[], records=[]))
    search = verification._Search(terms, [])
    search.search_folder(plain.state, kind_of_path)
    search.search_folder(plain.root / "artefacts", lambda _: OTHER, "../artefacts/")
    assert {(place.kind, place.path, *place.what) for place in search.places} == {
        ("other", "Ada_Lovelace", "value"),
        ("runs", "runs/r/nobody/link", "value"),
        ("runs", f"runs/r/nobody/{ADA}", "value"),
        ("runs", f"runs/r/{ADA}'s", "value"),
        ("runs", f"runs/r/{ADA}'s/inner", "value"),
        ("runs", "runs/r/Ada/Lovelace", "value"),
        ("other", "../artefacts/lovelace", "value"),
    }
    paths = [place.path for place in search.places]
    assert paths.index(f"runs/r/{ADA}'s/inner") < paths.index(f"runs/r/{ADA}'s"), "a folder follows what is in it"
    assert search.files == search.bytes == 0


def test_a_checkout_that_is_called_after_somebody_is_no_finding_of_its_own_links(tmp_path: Path) -> None:
    state = tmp_path / ADA / ".hallmark"
    (state / "runs" / "r").mkdir(parents=True)
    (state / "runs" / "r" / "link").symlink_to(state / "runs")
    search = verification._Search(SearchTerms(Subject(values=[ADA], tokens=[], records=[])), [])
    search.search_folder(state, kind_of_path)
    assert search.places == []


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests as root may read everything, so the operating system's answer is given here."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "open").write_text(ADA)
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert walked(tmp_path) == (["open"], ["folders that cannot be read (Permission denied): closed"])


def test_a_file_that_is_gone_meanwhile_is_left_out(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(ADA)
    files = walk_entries(tmp_path, Gaps(str))
    assert next(files).path.name == "a"
    (tmp_path / "b").unlink()
    assert [entry.path.name for entry in files] == ["c"]


def test_a_line_names_some_places_alone() -> None:
    gaps = Gaps(lambda place: "hidden" if ADA in place else place)
    for place in [ADA, f"also {ADA}", *map(str, range(9))]:
        gaps.add("why", place)
    assert gaps.texts() == ["why: hidden, 0, 1, 2, 3 and 5 more"]


@pytest.mark.parametrize(
    "path", ["models/base/tokenizer.json", "runs/r/artefacts/package/vocab.json", "bases/0/config"]
)
def test_the_vocabulary_of_a_model_holds_no_rows(path: str) -> None:
    assert not may_hold_rows(Path(path)) and may_hold_rows(Path("runs/r/artefacts/ingest/records.parquet"))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Checkout]:
    for name in ("HALLMARK_LEDGER_URL", "HALLMARK_VAULT_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    yield Checkout(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HALLMARK_LEDGER_URL", "postgresql://a:secret@b/c", ["the ledger's Postgres", "folders .hallmark of other"]),
        ("HALLMARK_VAULT_URL", "postgresql://a:secret@b/c", ["the vault's Postgres"]),
        ("MLFLOW_TRACKING_URI", "https://a:secret@b", ["the MLflow server"]),
    ],
)
def test_servers_are_not_searched(
    plain: Checkout, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: list[str]
) -> None:
    terms = SearchTerms(Subject(values=[ADA], tokens=[], records=[]))
    assert list(verification._places_elsewhere(plain, terms)) == []
    monkeypatch.setenv(name, value)
    told = list(verification._places_elsewhere(plain, terms))
    assert tracked_runs.may_have_records(plain.root) == (name == "MLFLOW_TRACKING_URI")
    assert len(told) == len(expected) and all(map(str.startswith, told, expected)) and "secret" not in str(told)
