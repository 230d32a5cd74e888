"""The search that other tests rest on finds what is hidden, and only that."""

import base64
import bz2
import gzip
import io
import json
import pickle
import sqlite3
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from html import escape
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.byte_search import Findings, Planted, search, search_folder

NAME, MAIL, IBAN = "Jürgen Müllerhoff", "ada.lovelace@example.org", "DE89 3704 0044 0532 0130 00"
VALUES = (NAME, MAIL, IBAN)
TEXT = f"Guten Tag, {NAME} hier, {MAIL}, {IBAN}. Danke!"


def parquet(text: str) -> bytes:
    target = io.BytesIO()
    turns = [[{"role": "user", "content": text}], None]
    pq.write_table(pa.table({"messages": turns, "n": [1, 2]}), target, compression="zstd")
    return target.getvalue()


def zipped(text: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", text)
    return target.getvalue()


def sqlite(text: str, folder: Path) -> bytes:
    path = folder / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table t (id integer, body blob)")
        connection.execute("insert into t values (1, ?)", (zlib.compress(text.encode()),))
    connection.close()
    return path.read_bytes()


HIDDEN: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "latin-1": lambda text: text.encode("latin-1"),
    "upper case": lambda text: text.upper().encode(),
    "spaced": lambda text: "\u00a0 ".join(text).encode(),
    "json": lambda text: json.dumps(text).encode(),
    "url": lambda text: urllib.parse.quote(text).encode(),
    "html": lambda text: escape(text).encode("ascii", "xmlcharrefreplace"),
    "repr": lambda text: repr(text.encode()).encode(),
    "base64": lambda text: b"key=" + base64.b64encode(text.encode()),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "gzip": lambda text: b"HEAD" + gzip.compress(text.encode()) + b"TAIL",
    "zlib": lambda text: b"HEAD" + zlib.compress(text.encode()) + b"TAIL",
    "zstd": lambda text: b"HEAD" + pa.compress(text.encode(), codec="zstd", asbytes=True) + b"TAIL",
    "bzip2": lambda text: bz2.compress(text.encode()),
    "pickle": lambda text: pickle.dumps({"said": [text]}),
    "zip": zipped,
    "parquet": parquet,
    "gzip of base64 of gzip": lambda text: gzip.compress(base64.b64encode(gzip.compress(text.encode()))),
}


@pytest.mark.parametrize("way", HIDDEN)
def test_a_value_is_found_however_it_is_hidden(way: str) -> None:
    planted = Planted(VALUES)
    assert search(HIDDEN[way](TEXT), planted) == set(VALUES)
    assert search(HIDDEN[way]("nothing of anybody, 4711 0815"), planted) == set()


def test_a_value_in_a_packed_cell_of_a_database_is_found(tmp_path: Path) -> None:
    assert search(sqlite(TEXT, tmp_path), Planted(VALUES)) == set(VALUES)


def test_a_database_whose_log_is_not_worked_in_is_searched_with_it(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table t (body blob)")
    connection.execute("insert into t values (?)", (base64.b64encode(zlib.compress(TEXT.encode())),))
    connection.commit()
    findings = Findings()
    search_folder(tmp_path, Planted(VALUES), findings, lambda path: path.name != "a.db")
    connection.close()
    assert set(findings.places) == set(VALUES)


def test_a_value_is_found_at_every_offset() -> None:
    planted = Planted(VALUES)
    assert all(search(b"x" * n + MAIL.encode(), planted) == {MAIL} for n in range(20))
    assert search(MAIL.encode()[:-1], planted) == set(), "a part of it is not it"


def test_files_and_their_names_are_searched(tmp_path: Path) -> None:
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "a").write_text(TEXT)
    (tmp_path / "b.txt").write_text(NAME)
    (tmp_path / f"of {MAIL}").write_text("")
    findings = Findings()
    search_folder(tmp_path, Planted(VALUES), findings, lambda path: path.parent.name == "left")
    assert dict(findings.places) == {NAME: {"b.txt"}, MAIL: {f"of {MAIL}"}}
    assert findings.files == 2


def test_what_is_too_short_to_be_told_from_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        Planted(["Ada"])


def test_parts_that_are_searched_together_stay_apart() -> None:
    planted = Planted(["Ada Lovelace"])
    assert planted.within(b"by Ada Love", b"lace and others") == set()
    assert planted.within(b"nothing", b"by Ada Lovelace", b"nothing") == {"Ada Lovelace"}
