"""Sources that change, unpack without end or hold what breaks others: refused with a reason, or read as text."""

import encodings
import gzip
import io
import os
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

import pyarrow as pa
import pytest

from tasks.core.errors import InputError
from tasks.runs.requests.source_resolution import resolve_source
from tasks.sources import vault_keys
from tasks.sources.sources import Source
from tasks.stages.data.ingest import ingest, source_cache
from tasks.stages.data.readers import content, decoding
from tasks.stages.data.readers.formats import csv_reader
from tasks.stages.data.readers.kinds import reader_of
from tasks.stages.data.readers.rows import MalformedRow, Row
from tests.stages.data import hostile
from tests.stages.data.build import FILE_OF, Run, messages, params, parquet, source, table
from tests.stages.data.test_protect import PERSONAL, everything_written
from tests.stages.data.test_readers import refused

CSV = table(messages(40))


def left_behind(run: Run) -> list[Path]:
    """Files that are neither the vault's nor a piece's, or of no whole piece."""
    return [path for path in run.layout.state.rglob("*") if path.is_file() and path.parent.name not in ("keys", "src")
            and path.name != "vault.db"]  # fmt: skip


def test_a_source_that_changes_between_two_blocks_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first block is as it was pinned, and the second no longer."""
    file = run.pin(table(messages(20_000)))

    class Meddling(SpooledTemporaryFile[bytes]):
        """A copy during whose first write the source is changed."""

        def write(self, block: bytes) -> int:
            if self.tell() == 0:
                file.write_bytes(file.read_bytes().replace(b"message", b"MESSAGE"))
            return super().write(block)

    monkeypatch.setattr(content, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(content, "SpooledTemporaryFile", Meddling)
    with pytest.raises(InputError, match="has changed since the run was resolved: expected SHA-256"):
        ingest.run(params(), run.layout)
    assert not run.layout.artefacts("ingest").exists() and not left_behind(run)


def test_a_source_that_changes_while_it_is_parsed_is_read_as_it_was_pinned(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = run.pin(CSV)

    def disturbed(pinned: IO[bytes], declared: Source) -> Iterator[Row | MalformedRow]:
        for row in csv_reader.read_rows(pinned, declared):
            file.write_bytes(b"text,label\nsomething else,no\n")
            yield row

    monkeypatch.setattr(csv_reader, "READER", replace(csv_reader.READER, read=disturbed))
    assert ingest.run(params(), run.layout).counts.records == 40
    assert resolve_source(source("data.csv"), run.root).sha256 != run.result("ingest")["sources"][0]["sha256"]


@pytest.mark.parametrize("in_memory", [1 << 26, 1])
@pytest.mark.parametrize("kind", FILE_OF)
def test_a_copy_on_the_disk_is_read_as_one_in_memory_and_has_no_name(
    run: Run, monkeypatch: pytest.MonkeyPatch, kind: str, in_memory: int
) -> None:
    monkeypatch.setattr(content, "MAX_MEMORY_BYTES", in_memory)
    data = FILE_OF[kind](messages(600))
    run.pin(data if kind == "parquet" else gzip.compress(data), kind=kind)
    seen: list[Path] = []

    def looking(pinned: IO[bytes], declared: Source) -> Iterator[Row | MalformedRow]:
        for row in reader.read(pinned, declared):
            seen.extend(left_behind(run) if row.number == 300 else ())
            yield row

    reader = reader_of(kind)
    module = f"tasks.stages.data.readers.formats.{kind}_reader"
    monkeypatch.setattr(f"{module}.READER", replace(reader, read=looking))
    assert ingest.run(params(), run.layout).counts.records == 600
    assert not [path for path in seen if source_cache.cache_folder(run.layout) not in path.parents]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("members", [1, 300])
def test_gzip_that_unpacks_without_end_is_refused(run: Run, kind: str, members: int) -> None:
    bomb = gzip.compress(b"\n" * (30_000_000 // members)) * members
    assert len(bomb) < 200_000
    message = refused(run, bomb, kind=kind, max_unpacked_bytes=1_000_000)
    assert "src: data.csv unpacks to more than max_unpacked_bytes allows, 1,000,000; if that is no accident" in message
    assert not left_behind(run)


def test_gzip_up_to_the_limit_is_read(run: Run) -> None:
    packed = gzip.compress(CSV[:200]) + gzip.compress(CSV[200:])
    assert run.ingest(packed, max_unpacked_bytes=len(CSV)).counts.records == 40
    with pytest.raises(InputError, match="unpacks to more"):
        run.ingest(packed, max_unpacked_bytes=len(CSV) - 1)


@pytest.mark.parametrize("harm", [lambda data: data[:-30], lambda data: data[:200] + b"\0" * 40 + data[240:]])
def test_damaged_gzip_is_refused(run: Run, harm) -> None:  # type: ignore[no-untyped-def]
    message = refused(run, harm(gzip.compress(table(messages(500)))))
    assert "truncated" in message or "damaged gzip" in message


@pytest.mark.parametrize(
    ("texts", "size", "allowed"),
    [
        (lambda: pa.array([f"{n}" + "x" * 50_000 for n in range(400)]), 2_000_000, 1 << 22),
        (lambda: hostile.repeated("x" * 10_000, 20_000), 100_000, 1 << 25),
    ],
    ids=["as its footer says", "by a dictionary that makes much of little"],
)
def test_parquet_that_unpacks_to_too_much_is_refused(
    run: Run, texts: Callable[[], pa.Array], size: int, allowed: int
) -> None:
    bomb = hostile.rows(texts())
    assert len(bomb) < size
    assert "unpacks to more than max_unpacked_bytes" in refused(run, bomb, kind="parquet", max_unpacked_bytes=allowed)


def test_columns_that_no_mapping_names_count_for_nothing(run: Run) -> None:
    rows = pa.table({"text": ["a", "b"], "label": ["x", "y"], "scan": ["z" * 5_000_000, "w"]})
    assert run.ingest(parquet(rows), kind="parquet", max_unpacked_bytes=1_000_000).counts.records == 2


HARMLESS = [
    "=cmd|'/C calc'!A0",
    '=HYPERLINK("http://x.example","click")',
    "+SUM(A1:A9)",
    "@import url(//x.example)",
    "-2+3",
    "<script>alert(1)</script> my card is blocked",
    "<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} ${jndi:ldap://x.example/a} %s %(name)s {0}",
    "'; DROP TABLE hallmark_vault; --",
    "../../etc/passwd \\\\server\\share",
    "مرحبا، بطاقتي لا تعمل",
    "שלום, הכרטיס שלי לא עובד",
    "👩‍👩‍👧‍👦 who may use this card?",
    "zażółć gęślą jaźń",
    "Z̷̢̛a̸l̶g̵o̷ text",
]


def test_formulas_markup_and_any_script_stay_the_text_they_are(run: Run) -> None:
    run.ingest(table([{"text": text, "label": "x"} for text in HARMLESS]))
    assert [record["messages"][0]["content"] for record in run.records_of("ingest")] == HARMLESS


CARD, MAIL = "4111 1111 1111 1111", "ada@example.org"
DISGUISED = {
    "nul": f"card {CARD[:7]}\0{CARD[7:]}",
    "line": f"card {CARD[:9]}\n{CARD[10:]}",
    "zero width joiners": "card " + "\u200d".join(CARD),
    "right to left": f"رقم البطاقة \u202d{CARD}\u202c",
    "digits of another script": "بطاقة ٤١١١ ١١١١ ١١١١ ١١١١",
    "full width": "card ４１１１ １１１１ １１１１ １１１１",
    "homoglyph": "mail \u0430da@example.org",  # a Cyrillic a
    "url": f"https://x.example/u?email={MAIL.replace('@', '%40')}&lang=en",
    "code": f"user = User(email='{MAIL}')  # {MAIL}",
    "script": f"<script>send('{MAIL}')</script>",
    "formula": f'=HYPERLINK("mailto:{MAIL}","{CARD}")',
    "combining": "mail me: Jose\u0301 Garci\u0301a, jose@example.org",
}


def test_disguised_identifiers_are_protected_on_the_way_in(run: Run) -> None:
    run.ingest(table([{"text": text, "label": "x"} for text in DISGUISED.values()]))
    texts = [record["messages"][0]["content"] for record in run.records_of("ingest")]
    assert len(texts) == len(DISGUISED)
    for name, text in zip(DISGUISED, texts, strict=True):
        assert "[card:" in text or "[email:" in text, name
        assert "example.org" not in text and "1111" not in text and "١١١١" not in text and "１１１１" not in text, name
    assert b"1111 1111" not in everything_written(run.layout.artefacts("ingest"))


def test_a_text_of_thousands_of_words_is_protected_or_put_aside_and_never_let_through(run: Run) -> None:
    text = "The parcel has not arrived yet, and nobody answers. " * 4_000 + f"Mail {MAIL}"
    run.ingest(table([{"text": text, "label": "x"}, *messages(3)]))
    kept_text = [r["messages"][0]["content"] for r in run.records_of("ingest") if len(r["messages"][0]["content"]) > 99]
    assert run.rules_of("ingest") == {1: "undetectable"} or "Mail [email:" in kept_text[0]
    assert MAIL.encode() not in everything_written(run.layout.artefacts("ingest"))


def test_rows_of_several_encodings_are_told_apart(run: Run) -> None:
    good = table([{"text": f"größer {number}", "label": "ja"} for number in range(60)])
    run.ingest(good + "schöner,ja\n".encode("cp1252") + "nein \ud83d,ja\n".encode("utf-8", "surrogatepass"))
    assert run.rules_of("ingest") == {61: "undecodable", 62: "undecodable"}


def test_a_lost_key_leaves_nothing_written(run: Run) -> None:
    run.ingest(table(PERSONAL))
    before = everything_written(run.layout.artefacts("ingest"))
    (run.layout.state / vault_keys.KEY_FILE).unlink()
    with pytest.raises(InputError, match="restore it"):
        ingest.run(params(), run.layout)
    assert everything_written(run.layout.artefacts("ingest")) == before


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "a pipe or a device"),
        (lambda path: path.symlink_to(path), "cannot be opened"),
        (lambda path: hole(path, 15 << 40), "more than 64 GiB"),
        (lambda path: hole(path, 1 << 30), "consists mostly of holes"),
    ],
    ids=["a pipe", "a link to itself", "a hole of 15 TiB", "a hole of 1 GiB"],
)
def test_what_is_no_file_is_refused_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    make(tmp_path / "odd")
    with pytest.raises(InputError, match=said):
        resolve_source(source("odd"), tmp_path)


def hole(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def test_a_source_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grows").write_bytes(CSV)
    monkeypatch.setattr(content, "MAX_SOURCE_BYTES", len(CSV))
    with content.open_content(source("grows"), tmp_path) as file, (tmp_path / "grows").open("ab") as growing:
        growing.write(CSV)
        growing.flush()
        with pytest.raises(InputError, match="the most that a source may have"):
            list(content.read_blocks(file, source("grows")))


@pytest.mark.parametrize("location", ["a\0b", "a" * 5000, "~nobody-of-this-name/x", "data.csv/x"])
def test_a_location_that_leads_nowhere_is_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "data.csv").write_bytes(CSV)
    with pytest.raises(InputError, match="source src: "):
        resolve_source(source(location), tmp_path)


def test_every_codec_of_python_reads_a_source_or_is_refused_in_words() -> None:
    for _, encoding, _ in pkgutil.iter_modules(encodings.__path__):
        for text in (CSV, "text,label\nGr\xfc\xdfe,a\n".encode("latin-1"), "text,label\nGrüße - hallo,a\n".encode()):
            with suppress(InputError):
                decoding.open_text(io.BytesIO(text), source("data.csv", encoding=encoding)).read()


@pytest.mark.parametrize(
    ("field", "number", "said"),
    [
        ("retention_days", 10_000_000, "less than or equal to 365000"),
        ("refresh_days", 10_000_000, "less than or equal to 365000"),
        ("authority", 10**25, "less than or equal to 1000000"),
        ("authority", -(10**25), "greater than or equal to -1000000"),
    ],
)
def test_a_number_beyond_any_calendar_or_table_is_refused(field: str, number: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        source("data.csv", **{field: number})


@pytest.mark.parametrize("document", [b"{", b'{"terms": {"trade_secret": "Halcyon"}}', None])
def test_pinned_sources_that_cannot_be_read_are_said(run: Run, document: bytes | None) -> None:
    run.ingest(CSV)
    run.layout.sources_path.unlink()
    if document is not None:
        run.layout.sources_path.write_bytes(document)
    with pytest.raises(InputError, match="cannot be read") as told:
        ingest.run(params(), run.layout)
    assert "Halcyon" not in str(told.value)
