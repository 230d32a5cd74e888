"""The verification finds a person in every usual spelling, and in whatever packs it."""

import base64
import gzip
import io
import json
import sqlite3
import zipfile
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.erase import file_contents
from tasks.erase.search_terms import RECORD, TOKEN, VALUE, SearchTerms
from tasks.erase.subject import Subject, SubjectRecord

MAIL, NAME, PHONE = "ada.lovelace@example.org", "Zoë Müller", "+44 20 7946 0958"
TOKEN_TEXT, KEY = "email:k3v9x2ab7dqm", "0123456789abcdef"
SUBJECT = Subject(
    values=[MAIL, NAME, PHONE],
    tokens=[TOKEN_TEXT],
    records=[SubjectRecord(record=KEY, source_id="tickets", row=1)],
)


def found(path: Path, data: bytes) -> set[str]:
    path.write_bytes(data)
    terms = SearchTerms(SUBJECT)
    return {each for block in file_contents.read_contents(path) for each in terms.find(block)}


@pytest.mark.parametrize(
    "text",
    [
        MAIL, MAIL.upper(), quote(MAIL, safe=""), MAIL.replace("@", "&#64;"), MAIL.replace("@", "\\u0040"), NAME,
        NAME.upper(), json.dumps(NAME), "Zoë  Müller", "zoë-müller", "004420 7946 0958".replace("0044", "+44"),
        "44(20)7946-0958",
    ],
)  # fmt: skip
def test_a_value_is_found_in_every_spelling(tmp_path: Path, text: str) -> None:
    assert found(tmp_path / "file", f"before {text} after".encode()) == {VALUE}


@pytest.mark.parametrize("text", ["ada at work", "lovelace@example.org", "Zoe Miller", "email:k3v9x2ab7dqn", KEY[:15]])
def test_others_are_not_found(tmp_path: Path, text: str) -> None:
    assert found(tmp_path / "file", text.encode()) == set()


@pytest.mark.parametrize("shift", range(8))
def test_tokens_and_ids_are_found_at_any_offset(tmp_path: Path, shift: int) -> None:
    assert found(tmp_path / "file", b"x" * shift + f"[{TOKEN_TEXT}]".encode()) == {TOKEN}
    assert found(tmp_path / "file", b"x" * shift + f"{KEY}00112233".encode()) == {RECORD}
    assert found(tmp_path / "file", b"\0" * shift + bytes.fromhex(KEY)) == {RECORD}


def parquet(texts: list[str]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"messages": [[{"content": text}] for text in texts]}), out, compression="zstd")
    return out.getvalue()


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", data)
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(data)
    return out.getvalue().to_pybytes()


SENTENCE = f"write to {MAIL} about [{TOKEN_TEXT}]"


@pytest.mark.parametrize(
    "data",
    [
        parquet(["nobody"] * 9000 + [SENTENCE]),
        gzip.compress(SENTENCE.encode() * 3),
        zstd(SENTENCE.encode() * 3),
        zipped(SENTENCE.encode()),
        zipped(parquet([SENTENCE])),
        gzip.compress(zipped(SENTENCE.encode())),
        base64.b64encode(SENTENCE.encode()),
        b"x" * (file_contents.BLOCK_BYTES - 12) + SENTENCE.encode(),
    ],
    ids=["parquet", "gzip", "zstd", "zip", "parquet in zip", "zip in gzip", "base64", "across blocks"],
)
def test_what_packs_it_is_unpacked(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path / "file", data) == {VALUE, TOKEN}


def test_long_cells_of_a_database_are_read(tmp_path: Path) -> None:
    """Long cells are split over pages, with bytes of the database between their parts."""
    for start in range(0, 4096, 13):
        path = tmp_path / f"{start}.db"
        connection = sqlite3.connect(path)
        connection.execute("create table t (body text)")
        connection.execute("insert into t values (?)", ("x" * (4000 + start) + SENTENCE + "x" * 9000,))
        connection.commit()
        connection.close()
        assert found(path, path.read_bytes()) == {VALUE, TOKEN}
        if start > 13 * 40:
            break


def test_a_short_value_is_found_as_a_word_alone(tmp_path: Path) -> None:
    terms = SearchTerms(Subject(values=["Li Yu"], tokens=[], records=[]))
    assert terms.find(b"for Li Yu.") == {VALUE} and terms.find(b"Kali yuca") == set()


def test_a_damaged_archive_is_searched_as_it_is(tmp_path: Path) -> None:
    for begin in (b"PAR1", b"PK\3\4", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"):
        assert found(tmp_path / "file", begin + SENTENCE.encode()) == {VALUE, TOKEN}
