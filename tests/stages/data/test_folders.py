"""Folders of files as sources: which files are read, and that the same files give the same bytes."""

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.runs.requests.source_resolution import resolve_source
from tasks.sources.sources import Source
from tasks.stages.data.ingest import ingest
from tasks.stages.data.readers.content import open_content
from tasks.stages.data.readers.documents import iter_documents
from tasks.stages.data.readers.folder_stream import FolderStream
from tasks.stages.data.readers.kinds import read_rows, reader_of
from tasks.stages.data.readers.rows import MalformedRow
from tests.stages.data.build import Run, params, source

FILES = {"b/two.txt": "zwei", "a.txt": "eins", "Ä.TXT": "drei", "b/c/four.txt": "vier", "b.txt": "fünf"}
ORDER = ["a.txt", "b.txt", "b/c/four.txt", "b/two.txt", "Ä.TXT"]
MAPPING = {"prompt": "text", "response": "document"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "letters"
    for name, text in FILES.items():
        put(root / name, text)
    return root


def put(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def declare(place: Path, **fields: Any) -> Source:
    return source(place, "text", mapping=MAPPING, **fields)


def content(declared: Source) -> bytes:
    with open_content(declared, Path(declared.location).parent) as file:
        return file.read()


def test_a_folder_is_an_archive_of_its_files_in_order(folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(content(declare(folder)))) as archive:
        assert archive.getnames() == ORDER
        assert [archive.extractfile(name).read().decode() for name in ORDER] == [FILES[name] for name in ORDER]  # type: ignore[union-attr]


def test_only_names_and_bytes_change_the_digest(folder: Path) -> None:
    before = content(declare(folder))
    for path in (folder / "a.txt", folder / "b"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    put(folder / "notes.docx", b"another kind")
    put(folder / ".git" / "config.txt", "hidden")
    put(folder / "b" / ".DS_Store.txt", "hidden")
    assert content(declare(folder)) == before
    (folder / "a.txt").rename(folder / "aa.txt")
    assert content(declare(folder)) != before


@pytest.mark.parametrize(
    "make", [lambda path: path.symlink_to("/etc/hostname"), os.mkfifo, lambda path: path.symlink_to("/etc")]
)
def test_links_and_pipes_are_refused(folder: Path, make: Any) -> None:
    make(folder / "b" / "z.txt")
    with pytest.raises(InputError, match=r"'b/z.txt' is a link, a pipe or a device; put the file itself there"):
        resolve_source(declare(folder), folder)


def test_a_folder_without_files_of_the_kind_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "letters" / "one.pdf", b"%PDF")
    with pytest.raises(InputError, match=r"is a folder without a file of .txt or .text; correct"):
        resolve_source(declare(tmp_path / "letters"), tmp_path)


def test_a_kind_of_single_files_takes_no_folder(folder: Path) -> None:
    with pytest.raises(InputError, match="is a folder; give the path of one file"):
        resolve_source(source(folder, "jsonl"), folder)


@pytest.mark.parametrize("place", ["/", "/etc", "/proc"])
def test_folders_that_hold_what_is_no_data_are_refused(place: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in something hidden"):
        resolve_source(declare(Path(place)), tmp_path)


def test_a_file_that_grows_while_it_is_read_is_told(folder: Path) -> None:
    put(folder / "a.txt", "x" * 3_000_000)
    with open_content(declare(folder), folder) as file:
        file.read(10)
        put(folder / "b.txt", "longer than it was listed")
        with pytest.raises(InputError, match=r"'b.txt' changed while it was read; resolve again"):
            file.read()


def test_every_file_is_a_row(run: Run, folder: Path) -> None:
    put(folder / "b" / "empty.txt", "")
    put(folder / "noise.txt", bytes(range(256)) * 40)
    put(folder / "long.txt", "x" * 5_000)
    archive = content(declare(folder))
    result = run.ingest(archive, kind="text", mapping=MAPPING, max_row_bytes=4_000, how=params(max_malformed_share=0.5))
    assert result.counts.rows == 8 and result.counts.records == 5
    assert [[turn["content"] for turn in record["messages"]] for record in run.records_of("ingest")] == [
        [FILES[name], name] for name in ORDER
    ]


def test_ingest_tells_how_many_files_it_leaves_out(run: Run, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("x.png", "y.PNG", "b/.git/config", ".DS_Store", "z.Anna Schmidt", "plan.docx"):
        put(folder / name, "x")
    run.resolve(declare(folder))
    ingest.run(params(), run.layout)
    assert "reading src; left out: 2 .png, 2 hidden, 1 .docx, 1 other\n" in capsys.readouterr().out


def test_names_of_files_are_in_errors_and_nowhere_else(folder: Path) -> None:
    put(folder / "Anna Schmidt.txt", b"\x89PNG picture")
    put(folder / "z.Anna Schmidt", "x")
    declared = declare(folder)
    with open_content(declared, folder) as file:
        reasons = [str(row) for row in read_rows(io.BytesIO(file.read()), declared) if isinstance(row, MalformedRow)]
        assert isinstance(file, FolderStream) and file.left_out == {"other": 1}
    assert len(reasons) == 1 and "Anna" not in reasons[0]
    (folder / "Anna Schmidt.txt").unlink()
    (folder / "Anna Schmidt.txt").symlink_to("a.txt")
    with pytest.raises(InputError, match=r"'Anna Schmidt.txt' is a link, a pipe or a device"):
        resolve_source(declared, folder)


def damaged(archive: bytes) -> bytes:
    return archive[:600] + b"\xff" * 512 + archive[1112:]


def test_a_damaged_archive_and_one_with_links_are_told(folder: Path, tmp_path: Path) -> None:
    archive, other = content(declare(folder)), io.BytesIO()
    with tarfile.open(fileobj=other, mode="w") as made:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(link)
    for data, told in (
        (damaged(archive), "is a damaged archive"),
        (archive[:2_000], "is a damaged archive"),
        (other.getvalue(), "'link.txt' is no plain file"),
    ):
        with pytest.raises(InputError, match=told):
            for document in iter_documents(io.BytesIO(data), declare(folder), (".txt",)):
                document.file.read()


@pytest.mark.parametrize("kind", ["markdown", "mail", "text", "docx"])
def test_an_archive_that_ends_within_a_file_is_told(kind: str, folder: Path) -> None:
    reader = reader_of(kind)
    put(folder / f"only{reader.suffixes[0]}", "x" * 5_000)
    declared = source(folder, kind, mapping={"text": "text"})
    archive = content(declared)
    with pytest.raises(InputError, match="is a damaged archive"):
        list(reader.read(io.BytesIO(archive[: archive.index(b"xxxx") + 2_000]), declared))


def test_an_archive_has_at_most_max_rows_members(folder: Path) -> None:
    declared = declare(folder, max_rows=3)
    with pytest.raises(InputError, match="has more rows than max_rows allows, 3"):
        list(iter_documents(io.BytesIO(content(declared)), declared, (".txt",)))
