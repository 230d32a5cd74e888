"""Sources that are right, wrong and neither: what each reader makes of them."""

import ast
import codecs
import gzip
import io
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import InputError
from tasks.core.steps.kinds import DOCUMENT_RULES, SOURCE_KINDS, SQL_KIND
from tasks.runs.requests.source_resolution import resolve_source
from tasks.stages.data.readers import formats
from tasks.stages.data.readers.kinds import reader_of
from tasks.stages.data.readers.rows import Reader
from tests.stages.data.build import FILE_OF, Run, jsonl, messages, params, parquet, source, table

CSV = table(messages(40))


def refused(run: Run, data: bytes, **fields: Any) -> str:
    """The message with which `ingest` refuses the data; nothing may have been written."""
    with pytest.raises(InputError) as caught:
        run.ingest(data, **fields)
    assert not list(run.root.glob("artefacts/*")), "a refused source left something behind"
    return str(caught.value)


FORMATS = Path(formats.__file__).parent


def test_every_kind_has_a_reader_and_every_reader_a_kind() -> None:
    assert {path.stem for path in FORMATS.glob("*_reader.py")} == {f"{kind}_reader" for kind in SOURCE_KINDS}
    assert all(isinstance(reader_of(kind), Reader) for kind in SOURCE_KINDS)


SHARED_RULES = {
    "read_text": DOCUMENT_RULES,
    "read_sections": DOCUMENT_RULES,
    "arrow_rows": ("out_of_range",),
    "arrow_streams": ("out_of_range",),
    "jsonl_reader": SOURCE_KINDS["jsonl"],
}
"""Rules of code that several readers use, by a name that occurs in a reader if it does."""


def rules_of(kind: str) -> set[str]:
    """The rules of the malformed rows that a reader's code makes, or code that it shares with others."""
    code = (FORMATS / f"{kind}_reader.py").read_text()
    shared = {rule for used, rules in SHARED_RULES.items() if used in code for rule in rules}
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    defects = [{"rule": call.args[0]} for call in calls if ast.unparse(call.func) == "Defect"]
    calls = [call for call in calls if ast.unparse(call.func) == "MalformedRow"]
    said = [{"rule": call.args[1]} if len(call.args) > 1 else {k.arg: k.value for k in call.keywords} for call in calls]
    said += defects
    return shared | {str(ast.literal_eval(each["rule"])) for each in said}


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_the_table_of_kinds_has_the_rules_of_their_readers(kind: str) -> None:
    """A rule that it does not have stops `validate`, which counts rows by rule."""
    assert set(SOURCE_KINDS[kind]) == rules_of(kind), "tasks/core/steps/kinds.py"


@pytest.mark.parametrize("kind", FILE_OF)
def test_the_same_rows_give_the_same_records_in_every_kind(run: Run, kind: str) -> None:
    result = run.ingest(FILE_OF[kind](messages(40)), kind=kind)
    assert (result.counts.rows, result.counts.records) == (40, 40)
    texts = [[turn["content"] for turn in record["messages"]] for record in run.records_of("ingest")]
    assert texts == [[row["text"], row["label"]] for row in messages(40)]


@pytest.mark.parametrize("kind", sorted(SOURCE_KINDS.keys() - {SQL_KIND}))
@pytest.mark.parametrize("data", [b"", b"\n \n"])
def test_an_empty_source_is_refused(run: Run, kind: str, data: bytes) -> None:
    assert "src" in (message := refused(run, data, kind=kind))
    assert "is empty" in message or "not a Parquet file" in message


@pytest.mark.parametrize("data", [b"text,label\n", parquet(pa.table({"text": pa.array([], pa.string()), "label": []}))])
def test_a_source_without_rows_is_refused(run: Run, data: bytes) -> None:
    kind = "parquet" if data.startswith(b"PAR1") else "csv"
    assert "has a header and no rows; expected at least one row" in refused(run, data, kind=kind)


@pytest.mark.parametrize("kind", FILE_OF)
def test_a_missing_column_is_named_with_what_is_like_it(run: Run, kind: str) -> None:
    told = refused(run, FILE_OF[kind]([{"texts": "a", "label": "b", "ada@example.org": "c"}]), kind=kind)
    assert "has no column 'text', which its mapping names; it has 'label', and much like it 'texts'" in told
    assert "ada" not in told


def test_a_missing_header_is_not_quoted(run: Run) -> None:
    told = refused(run, b"I am Ada Lovelace,card_lost\nmy card is gone,card_lost\n")
    assert "none of its 2 columns is named there (is its header missing?)" in told
    assert "Lovelace" not in told and "card" not in told


def test_a_column_that_stands_twice_is_refused(run: Run) -> None:
    assert "more than one column 'text'" in refused(run, b"text,label,text\na,b,c\n")
    told = refused(run, b"text,label,Ada,Ada\na,b,c,d\n")
    assert "more than one column of the same name: the columns 3, 4 from the left" in told and "Ada" not in told
    twice = pa.table([pa.array(["a"])] * 3, names=["text", "label", "text"])
    assert "more than one column 'text'" in refused(run, parquet(twice), kind="parquet")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("data", "what"),
    [
        (random.Random(0).randbytes(20_000), "is binary"),
        (parquet(messages(3)), "a Parquet file"),
        (b"PK\x03\x04" + bytes(500), "a ZIP archive"),
    ],
    ids=["noise", "parquet", "zip"],
)
def test_a_binary_source_is_refused(run: Run, kind: str, data: bytes, what: str) -> None:
    assert what in refused(run, data, kind=kind)


def test_a_csv_that_claims_to_be_parquet_is_refused(run: Run) -> None:
    assert "not a Parquet file" in refused(run, CSV, kind="parquet")


@pytest.mark.parametrize(
    ("kind", "data", "where"),
    [
        ("csv", CSV + b'"an open quote,yes\nand more', "within the quoted field of row 41, which begins on line 42"),
        ("csv", CSV + b"cut before its label", "after 1 of 2 fields of row 41"),
        ("jsonl", jsonl(messages(40)) + b'{"text": "cut o', "its last line (41) ends within an object"),
        ("parquet", parquet(messages(40))[:-20], "does not end with Parquet's footer"),
        ("csv", gzip.compress(CSV * 20)[:-30], "gzip stream ends early"),
    ],
    ids=["quote", "field", "json", "footer", "gzip"],
)
def test_a_truncated_source_is_refused(run: Run, kind: str, data: bytes, where: str) -> None:
    message = refused(run, data, kind=kind)
    assert "truncated" in message and where in message


def test_a_parquet_file_with_damaged_pages_is_refused(run: Run) -> None:
    data = bytearray(parquet(messages(4000)))
    data[100:400] = bytes(300)
    assert "is damaged" in refused(run, bytes(data), kind="parquet")


GERMAN = [{"text": f"Ich möchte über Gebühren sprechen {number}", "label": "gebühr"} for number in range(30)]


@pytest.mark.parametrize(
    ("written", "declared", "advice"),
    [
        ("cp1252", "utf-8", "at byte 16 stands byte 0xf6; it is likely cp1252: set `encoding: cp1252`"),
        ("utf-8", "cp1252", "at byte 16 stands a UTF-8 sequence, as is every other beyond ASCII; it is likely utf-8"),
        ("utf-16", "utf-8", "a UTF-16 byte order mark; it is likely utf-16"),
        ("utf-16-le", "utf-8", "a zero byte, as in every other place; it is likely utf-16-le"),
        ("utf-16-be", "latin-1", "a zero byte, as in every other place; it is likely utf-16-be"),
        ("utf-8", "ascii", "at byte 16 stands byte 0xc3; it is likely utf-8"),
        ("utf-8", "utf-16", "it is likely utf-8"),
        ("utf-8", "utf-17", "'utf-17' is not a Python text codec"),
        *(("utf-8", it, f"{it!r} is not a Python text codec") for it in ("base64", "idna", "undefined", "utf\0-8")),
    ],
)
def test_another_encoding_than_declared_is_refused(run: Run, written: str, declared: str, advice: str) -> None:
    assert advice in refused(run, table(GERMAN).decode().encode(written), encoding=declared)


@pytest.mark.parametrize("declared", ["utf-16", "utf-32"])
def test_plain_text_that_is_declared_to_begin_with_a_mark_is_refused(run: Run, declared: str) -> None:
    assert "it is likely utf-8" in refused(run, table(messages(10)), encoding=declared)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig", "utf-8", "iso8859-15"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_declared_encodings_are_read(run: Run, encoding: str, kind: str) -> None:
    data = FILE_OF[kind](GERMAN).decode().encode(encoding)
    declared = "utf-8" if encoding == "utf-8-sig" else encoding  # a byte order mark needs no declaration
    run.ingest(data, kind=kind, encoding=declared)
    assert run.records_of("ingest")[0]["messages"][0]["content"] == GERMAN[0]["text"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(run: Run) -> None:
    data = codecs.BOM_UTF16_LE + table(GERMAN).decode().encode("utf-16-le")
    assert run.ingest(data, encoding="utf-16-le").counts.records == len(GERMAN)


def test_columns_without_a_name_are_ignored(run: Run) -> None:
    assert run.ingest(b"text,label,,\na,b,,\n").counts.records == 1


def test_malformed_rows_up_to_the_share_are_quarantined_with_their_line(run: Run) -> None:
    result = run.ingest(CSV + b'one\nx,y,z\n"a"b,c\n', how=params(max_malformed_share=0.1))
    assert run.rules_of("ingest") == {41: "field_count", 42: "field_count", 43: "stray_quote"}
    assert "line 42: 1 fields, the header has 2" in run.records_of("ingest", "quarantine")[0]["reason"]
    assert result.sources[0].malformed == 3
    assert run.result("ingest")["facts"]["malformed_share"]["value"] == pytest.approx(3 / 43)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_tenth_of_malformed_rows_is_refused_without_quoting_them(run: Run, kind: str) -> None:
    message = refused(run, FILE_OF[kind](messages(45)) + b"SECRET\n" * 5, kind=kind)
    assert "5 of 50 rows (10.0%) are malformed, more than data.max_malformed_share 0.05 allows: row 46" in message
    assert "SECRET" not in message


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("[1, 2]", "not_object"),
        ('{"text": "a", "text": "b", "label": "c"}', "not_json"),
        ('{"text": NaN, "label": "c"}', "not_json"),
        ("[" * 100_000, "not_json"),
        ('{"text": "a", "label": ' + "1" * 5_000 + "}", "not_json"),
        ('{"text": 5, "label": "c"}', "not_text"),
        ('{"text": "\\ud83d", "label": "c"}', "undecodable"),
    ],
    ids=["list", "twice", "nan", "deep", "digits", "number", "surrogate"],
)
def test_what_json_lines_may_not_hold(run: Run, line: str, rule: str) -> None:
    run.ingest(jsonl(messages(40)) + line.encode() + b"\n", kind="jsonl")
    assert run.rules_of("ingest") == {41: rule}


@pytest.mark.parametrize(
    ("kind", "far"),
    [
        (pa.date32(), 10**8),
        (pa.date32(), 2**30),
        (pa.timestamp("s"), 2**40),
        (pa.timestamp("ms", "UTC"), 2**60),
        (pa.timestamp("ns", "Asia/Tokyo"), 2**63 - 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("limits", [{}, {"max_row_bytes": 300}], ids=["together", "one by one"])
def test_a_parquet_date_that_no_calendar_has_is_told_of_its_row(
    run: Run, kind: pa.DataType, far: int, limits: dict[str, int]
) -> None:
    days = pa.array([0] * 40 + [far, 0]).cast(pa.int32() if pa.types.is_date32(kind) else pa.int64()).cast(kind)
    text = [f"message number {number}" for number in range(len(days))]
    data = parquet(pa.table({"text": text, "label": ["b"] * len(days), "day": days}))
    mapping = {"prompt": "text", "response": "label", "effective_from": "day"}
    run.ingest(data, kind="parquet", mapping=mapping, retention_days=365_000, **limits)
    (entry,) = run.records_of("ingest", "quarantine")
    assert (entry["row"], entry["rule"]) == (41, "out_of_range")
    assert re.fullmatch(r"column 'day': a value of type \S.* is out of the range of dates and times", entry["reason"])


def test_a_parquet_time_zone_that_nobody_knows_is_refused(run: Run) -> None:
    days = pa.array([0]).cast(pa.timestamp("s", "Mars/Olympus"))
    data = parquet(pa.table({"text": ["a"], "label": ["b"], "day": days}))
    mapping = {"prompt": "text", "response": "label", "effective_from": "day"}
    assert "row 1 (out_of_range)" in refused(run, data, kind="parquet", mapping=mapping)


def test_a_parquet_compression_that_cannot_be_read_is_no_damage(run: Run) -> None:
    data = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(messages(40)), data, compression="SNAPPY")
    snappy, lzo = b"\x19\x18\x04text\x15\x02", b"\x19\x18\x04text\x15\x06"  # path and codec in the footer
    assert data.getvalue().count(snappy) == 1
    message = refused(run, data.getvalue().replace(snappy, lzo), kind="parquet")
    assert "uses what cannot be read here (While LZO compression is supported" in message
    assert "damaged" not in message and "fetch it again" not in message


def test_parquet_nested_as_no_reader_can_is_no_damage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pyarrow answers where the texts of a thousand nested rows are more than 2 GB."""

    def nested(*_: object, **__: object) -> None:
        raise pa.ArrowNotImplementedError("Nested data conversions not implemented for chunked array outputs")

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", nested)
    assert "uses what cannot be read here (Nested data" in refused(run, parquet(messages(3)), kind="parquet")


def test_a_parquet_column_whose_name_is_no_text_is_damage(run: Run) -> None:
    data = parquet([{"text": "a", "label": "b", "other": "c"}]).replace(b"other", b"\xffther")
    assert "is a damaged Parquet file" in refused(run, data, kind="parquet")


def test_a_field_longer_than_the_csv_module_likes(run: Run) -> None:
    assert run.ingest(table([{"text": "x" * 200_000, "label": "long"}])).counts.records == 1


def test_pinning_says_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"source src: there is no .*nothing\.csv"):
        resolve_source(source("nothing.csv"), tmp_path)
    with pytest.raises(InputError, match="is a folder"):
        resolve_source(source("."), tmp_path)
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(InputError, match="NOWHERE is not set"):
        resolve_source(source("${NOWHERE}/a.csv"), tmp_path)


@pytest.mark.parametrize(
    ("data", "fields", "said"),
    [
        (b"text;label\na;b\n", {}, 'looks separated by ";", and sources.yaml says ","; set `delimiter: ";"` there'),
        (b"text\tlabel\na\tb\n", {}, r'set `delimiter: "\t"`'),
        (b"text|label\na|b\n", {}, 'set `delimiter: "|"`'),
        (b"text,label\na,b\n", {"delimiter": ";"}, 'set `delimiter: ","`'),
        (b'"text";"label"\r\n"a, b";"c"\r\n', {}, 'set `delimiter: ";"`'),
        (b"text;label;a,b\na;b;c\n", {}, 'set `delimiter: ";"`'),
        (b"Frage;Antwort\na;b\n", {}, 'set `delimiter: ";"`'),
        ("text;label\nä;ö\n".encode("utf-16"), {"encoding": "utf-16"}, 'set `delimiter: ";"`'),
        (codecs.BOM_UTF8 + b"text;label\na;b\n", {}, 'set `delimiter: ";"`'),
        (b'{"text": "a", "label": "b"}\n', {}, "looks like JSON Lines and not like CSV; set `kind: jsonl`"),
        (b"text,label\n" * 3, {"kind": "jsonl"}, "looks like CSV and not like JSON Lines; set `kind: csv`"),
        (b'[{"text": "a",\n "label": "b"}]\n', {"kind": "jsonl"}, "looks like one JSON list; write one object a line"),
        (b'[{"text": "a", "label": "b"}]\n', {}, "looks like one JSON list and not like CSV; export it as CSV"),
        (b"# Fees\n\nA card costs 5 EUR.\n", {}, "looks like Markdown and not like CSV"),
        (b"From ada@example.org Mon Mar  3 10:00:00 2025\nSubject: x\n", {}, "looks like a mailbox (mbox)"),
        (b"text\na\n", {}, "has no column 'label'"),
    ],
)
def test_another_form_than_declared_is_named(run: Run, data: bytes, fields: dict[str, Any], said: str) -> None:
    assert said in refused(run, data, **fields)


@pytest.mark.parametrize("delimiter", ["", "||", '"', "\n", "\0", "\\t"])
def test_what_separates_nothing_is_no_delimiter(delimiter: str) -> None:
    with pytest.raises(ValueError, match="expected one character"):
        source("data.csv", delimiter=delimiter)
