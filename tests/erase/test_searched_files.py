"""A search reads all files of a folder, and lists what it did not read."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.cleanup import tracked_runs
from tasks.erase import searched_files, verification
from tasks.erase.search_terms import SearchTerms
from tasks.erase.searched_files import Gaps, may_hold_rows, walk_files
from tasks.erase.subject import Subject
from tasks.runs.checkout import Checkout

ADA = "Ada Lovelace"


def walked(folder: Path) -> tuple[list[str], list[str]]:
    gaps = Gaps(lambda place: place)
    return [path.relative_to(folder).as_posix() for path, _ in walk_files(folder, gaps)], gaps.texts()


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
    files = walk_files(tmp_path, Gaps(str))
    assert next(files)[0].name == "a"
    (tmp_path / "b").unlink()
    assert [path.name for path, _ in files] == ["c"]


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
