"""The verification finds a person in every usual spelling, and in whatever packs it."""

import base64
import codecs
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.erase import file_contents, name_orders
from tasks.erase.search_terms import RECORD, SHORT_VALUE, TOKEN, VALUE, SearchTerms
from tasks.erase.subject import Subject, SubjectRecord

MAIL, NAME, PHONE = "ada.lovelace@example.org", "Zoë Müller", "+44 20 7946 0958"
TOKEN_TEXT, KEY = "email:k3v9x2ab7dqm", "0123456789abcdef"
SUBJECT = Subject(
    values=[MAIL, NAME, PHONE],
    tokens=[TOKEN_TEXT],
    records=[SubjectRecord(record=KEY, source_id="tickets", row=1)],
)


def found(path: Path, data: bytes, gaps: list[str] | None = None) -> set[str]:
    path.write_bytes(data)
    terms, told = SearchTerms(SUBJECT), [] if gaps is None else gaps
    return {each for block in file_contents.read_contents(path, told.append) for each in terms.find(block)}


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


def tarred(data: bytes) -> bytes:
    out, header = io.BytesIO(), tarfile.TarInfo("inner")
    header.size = len(data)
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(header, io.BytesIO(data))
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
        tarred(parquet([SENTENCE])),
        gzip.compress(zipped(SENTENCE.encode())),
        base64.b64encode(SENTENCE.encode()),
        b"path/of/" + base64.b64encode(SENTENCE.encode()),
        base64.encodebytes(SENTENCE.encode()).replace(b"\n", b"\r\n"),
        lzma.compress(SENTENCE.encode()),
        b"x" * (file_contents.BLOCK_BYTES - 12) + SENTENCE.encode(),
        codecs.BOM_UTF16_LE + SENTENCE.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + SENTENCE.encode("utf-16-be"),
        tarred(codecs.BOM_UTF16_LE + SENTENCE.encode("utf-16-le")),
        tarred(tarred(gzip.compress(SENTENCE.encode()))),
    ],
    ids=[
        "parquet",
        "gzip",
        "zstd",
        "zip",
        "parquet in zip",
        "parquet in tar",
        "zip in gzip",
        "base64",
        "base64 after a path",
        "base64 in lines",
        "xz",
        "across blocks",
        "utf-16-le",
        "utf-16-be",
        "utf-16-le in tar",
        "gzip in tar in tar",
    ],
)
def test_what_packs_it_is_unpacked(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path / "file", data) == {VALUE, TOKEN}


def test_base64_is_decoded_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_contents, "BLOCK_BYTES", 10_000)
    for before in range(4):
        data = b" " * before + base64.b64encode(bytes(11_000) + SENTENCE.encode())
        assert found(tmp_path / "file", data) == {VALUE, TOKEN}


def test_a_name_in_two_columns_is_found(tmp_path: Path) -> None:
    first, last = NAME.split()
    for rows, expected in (([(first, last)], {VALUE}), ([("Eve", first), (last, "Smith")], set())):
        pq.write_table(pa.table({"first": [row[0] for row in rows], "last": [row[1] for row in rows]}), tmp_path / "p")
        assert found(tmp_path / "p", (tmp_path / "p").read_bytes()) == expected


@pytest.mark.parametrize("begin", [b"7z\xbc\xaf'\x1c", b"%PDF-1.7"])
def test_an_archive_of_an_unknown_kind_is_told(tmp_path: Path, begin: bytes) -> None:
    for data in (begin + bytes(40), tarred(begin)):
        assert found(tmp_path / "file", data, told := []) == set() and told == [file_contents.NOT_UNPACKED]


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


def of_value(value: str, text: str) -> set[str]:
    return SearchTerms(Subject(values=[value], tokens=[], records=[])).find(text.encode())


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("Jürgen Strauß", ["Jürgen Strauß", "JÜRGEN STRAUSS", r"J\u00fcrgen Strau\u00df", "J=C3=BCrgen=20Strau=C3=9F"]),
        ("Tess Strauss", ["Tess Strauß", "tess strauss"]),
        ("Γιώργος Παππάς", ["Γιώργος Παππάς", "ΓΙΏΡΓΟΣ ΠΑΠΠΆΣ", quote("Γιώργος Παππάς")]),
        ("राम शर्मा", ["राम शर्मा", json.dumps("राम शर्मा")]),
        ("สมชาย ใจดำ", ["สมชาย ใจดำ"]),
        ("İbrahim Yılmaz", ["İbrahim Yılmaz", "ibrahim yılmaz", "İBRAHIM YILMAZ"]),
        (
            "Zoë O'Brien",
            ["Zoë O’Brien", "Zo&euml; O&rsquo;Brien", "Zo&#235;\u00a0O\u2010Brien"],
        ),
        ("℀℀℀℀ ada", ["℀℀℀℀ ada"]),
        ("𠮷田さん 太郎", [json.dumps("𠮷田さん\u3000太郎"), "𠮷田さん\u3000太郎", "𠮷田さん・太郎"]),
    ],
)
def test_a_name_is_found_in_every_script(value: str, texts: list[str]) -> None:
    for text in texts:
        assert of_value(value, text) == {VALUE}, text
    assert of_value("Zoë Müller", "Zoëámüller") == of_value("राम शर्मा", "राम वर्मा") == set()


@pytest.mark.parametrize(
    ("value", "texts", "others"),
    [
        (
            "Ada Lovelace",
            [
                "Lovelace, Ada",
                "LOVELACE,ADA",
                "Lovelace%2C%20Ada",
                r"Lovelace,\u00a0Ada\n",
                "Lovelace\tAda",
                "Lovelace Ada",
            ],
            ["Lovelace, Adam", "Lovelace, Eve, and Ada", "Lovelace"],
        ),
        ("Lovelace, Ada", ["Ada Lovelace", "ada.lovelace", "Lovelace, Ada"], ["Ada Love"]),
        ("Ana de la Cruz", ["de la Cruz, Ana", "Cruz, Ana de la"], ["Ana Cruz", "la Cruz de Ana"]),
        ("Zoë Strauß", ["STRAUSS, ZOË", r"Strau\u00df, Zo\u00eb"], ["Strauß, Zoé"]),
        ("राम शर्मा", ["शर्मा, राम"], ["शर्मा, वर्मा"]),
        ("ada.lovelace@example.org", [], ["lovelace@example.org, ada", "org ada lovelace example"]),
        ("Lovelace Street 12", [], ["12 Lovelace Street"]),
        ("a b c d e fghi j", [], ["j a b c d e fghi"]),
    ],
)
def test_a_name_is_found_in_other_orders(value: str, texts: list[str], others: list[str]) -> None:
    assert [text for text in texts if of_value(value, text) != {VALUE}] == []
    assert [text for text in others if of_value(value, text) != set()] == []


def test_a_short_name_is_found_in_another_order_as_words() -> None:
    assert of_value("Li Yu", "Yu, Li") == {SHORT_VALUE} and of_value("Li Yu", "Yuan, Li") == set()


def test_the_number_of_spellings_grows_with_that_of_words_alone() -> None:
    assert [len(name_orders.other_spellings("a b c d e f g"[: 2 * count - 1])) for count in range(1, 8)] == [
        0, 3, 6, 9, 12, 15, 0
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["for Li Yu.", r'{"text": "\nLi Yu"}', "%20Li%20Yu", r"\u00a0li yu"])
def test_a_short_value_is_found_as_a_word(text: str) -> None:
    assert of_value("Li Yu", text) == {SHORT_VALUE}


def test_a_short_value_is_not_found_in_other_words_or_where_no_rows_are() -> None:
    assert of_value("Li Yu", "Kali yuca") == set() and of_value("12345", "123456") == set()
    terms = SearchTerms(Subject(values=["Anna"], tokens=[], records=[]))
    assert terms.find(b'"anna": 4711', with_short_values=False) == set()


@pytest.mark.parametrize(
    "text",
    ["call 123456.", r"call\n123456 or", "12 34 56", "00123456", "%20123456", "Nr123456", r"\u00a0123456", "123456"],
)
def test_a_number_is_found(text: str) -> None:
    assert of_value("123456", text) == {VALUE}


@pytest.mark.parametrize("text", ["9123456", "1234567", "sha256:ab123456cd", "f123456", "123456E", "900123456"])
def test_a_number_inside_of_another_or_of_a_digest_is_not_found(text: str) -> None:
    assert of_value("123456", text) == set()


def test_a_damaged_archive_is_searched_as_it_is(tmp_path: Path) -> None:
    for begin in (b"PAR1", b"PK\3\4", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh"):
        gaps = list[str]()
        assert found(tmp_path / "file", begin + SENTENCE.encode(), gaps) == {VALUE, TOKEN}
        assert gaps == [file_contents.NOT_UNPACKED], "and the list of what was not searched says so"


def odd_zip(change: str) -> bytes:
    """Return a ZIP with a member that is not unpacked before one that is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("odd", b"0123456789" * 40, zipfile.ZIP_BZIP2 if change == "bzip2" else None)
        archive.writestr("sound", SENTENCE)
    data = bytearray(out.getvalue())
    local, central = 0, data.index(b"PK\1\2")
    if change == "encrypted":
        data[local + 6] |= 1
        data[central + 8] |= 1
    elif change == "unknown method":
        data[local + 8] = data[central + 10] = 99
    elif change == "damaged":
        data[30 + len("odd") : 30 + len("odd") + 4] = b"\xff\xff\xff\xff"
    return bytes(data)


@pytest.mark.parametrize("change", ["encrypted", "unknown method", "damaged", "bzip2"])
def test_a_part_that_cannot_be_unpacked_is_told_and_the_others_are_searched(tmp_path: Path, change: str) -> None:
    gaps = list[str]()
    assert found(tmp_path / "file", odd_zip(change), gaps) == {VALUE, TOKEN}
    assert gaps == [file_contents.NOT_UNPACKED]


def test_what_is_packed_too_deep_or_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gaps, data = list[str](), SENTENCE.encode()
    for _ in range(file_contents.MAX_DEPTH + 1):
        data = zipped(data)
    assert found(tmp_path / "file", data, gaps) == set() and gaps == [file_contents.TOO_DEEP]
    monkeypatch.setattr(file_contents, "MAX_MEMBER_BYTES", 8)
    gaps.clear()
    assert found(tmp_path / "file", zipped(SENTENCE.encode()), gaps) == set() and gaps == [file_contents.TOO_LARGE]


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_what_is_packed_in_a_large_compressed_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    data = gzip.compress(pack(gzip.compress(SENTENCE.encode())))
    assert found(tmp_path / "file", data, told := []) == {VALUE, TOKEN} and not told
    monkeypatch.setattr(file_contents, "BLOCK_BYTES", 1_000 if pack is tarred else 100)
    assert found(tmp_path / "file", data, told) == set() and told == [file_contents.NESTED]


def test_a_database_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    gaps = list[str]()
    assert found(tmp_path / "file", b"SQLite format 3\0" + SENTENCE.encode(), gaps) == {VALUE, TOKEN}
    assert gaps == [file_contents.ROWS_NOT_READ]
