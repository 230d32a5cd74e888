"""`hallmark data show SOURCE:ROW`: a row that never became a record, read again from what its run pinned, or not."""

import gzip
import io
import json
import sqlite3
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.inquiry import access_entries, disclosure, source_row
from tasks.inquiry.access import Access
from tasks.inquiry.disclosure import DisclosedRow
from tasks.ledger.ledger import Entry, open_ledger
from tasks.policy.people import Person
from tasks.runs.requests.source_resolution import resolve_source
from tasks.stages.data.readers.rows import MalformedRow, Row
from tests.stages.data.build import Run, messages, params, source, table

OWNER = Person(id="data-owner", name="Owner", roles=["data_owner"])
STRANGER = Person(id="stranger", name="Stranger", roles=["requester"])
TOLD = "My name is Ada Lovelace and my card is lost"
BAD = {"text": TOLD, "label": "", "note": "seen by\x1b[31m Bob"}
"""Row 4 of the sources here, whose target is missing."""
COLUMNS = ["text", "label", "note"]
ROWS: list[dict[str, Any]] = [*({**row, "note": ""} for row in messages(3)), BAD]


def show(run: Run, wanted: str, person: Person = OWNER, reason: str = "a test") -> DisclosedRow:
    return disclosure.disclose_row(run.layout, wanted, run.access(person), reason, open_ledger(run.layout.state))


def looked(run: Run) -> list[Entry]:
    """What is on the ledger."""
    return open_ledger(run.layout.state).entries()


@pytest.fixture
def ingested(run: Run) -> Run:
    run.ingest(table(ROWS, COLUMNS))
    return run


def test_a_row_that_never_became_a_record_is_shown_as_its_source_has_it(ingested: Run) -> None:
    found = show(ingested, "src:4")
    assert found == DisclosedRow(
        record_id=None,
        source_id="src",
        row=4,
        columns=BAD,
        findings=["ingest: missing_target: column 'label' is empty; a record needs a target"],
    )


def test_the_look_is_on_the_ledger_without_what_was_seen(ingested: Run) -> None:
    show(ingested, "src:4", reason=" whose is it ")
    (entry,) = looked(ingested)
    sha256 = resolve_source(source("data.csv"), ingested.root).sha256
    assert (entry.kind, entry.subject) == (access_entries.ROW_READ, "src:4")
    assert entry.body == {"person": "data-owner", "reason": "whose is it", "sha256": sha256}


def test_a_row_that_became_a_record_is_shown_as_one(ingested: Run) -> None:
    record = ingested.records_of("ingest")[1]["record_id"]
    found = show(ingested, "src:2")
    assert (found.record_id, found.columns) == (record, {}) and found == show(ingested, record)
    assert [(entry.kind, entry.subject) for entry in looked(ingested)] == [(access_entries.TOKENS_READ, record)] * 2


def as_jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "data", "columns"),
    [
        ("csv", gzip.compress(table(ROWS, COLUMNS)), BAD),
        ("jsonl", as_jsonl(ROWS), BAD),
        ("jsonl", gzip.compress(as_jsonl(ROWS)), BAD),
        ("parquet", as_parquet(ROWS), {"text": TOLD, "label": ""}),
    ],
)
def test_every_kind_of_source_is_read_again(run: Run, kind: str, data: bytes, columns: dict[str, str]) -> None:
    run.ingest(data, "data", kind=kind)
    assert show(run, "src:4").columns == columns


def test_blank_lines_and_rows_over_several_lines_count_as_they_did(run: Run) -> None:
    run.ingest(b'text,label\n"one\n\ntwo",a\n\n\n"three\nlines",\nfour,b\n')
    assert show(run, "src:2").columns == {"text": "three\nlines", "label": ""}


@pytest.mark.parametrize(
    ("row", "fields", "rule"),
    [
        ({"text": "card 4111 1111 1111 1111", "label": "a"}, {"protect": {"card": "drop"}}, "holds_card"),
        ({"text": "x", "label": "a", "note": "1999-01-01"}, {"retention_days": 365}, "past_retention"),
        ({"text": "x", "label": "a", "note": "some day"}, {}, "bad_effective_from"),
        (
            {"text": "x", "label": "Ada"},
            {"labels": {"department": ["label0", "label1", "label2"]}},
            "unknown_department",
        ),
    ],
)
def test_whatever_rule_of_ingest_put_it_aside_it_is_shown(
    run: Run, row: dict[str, str], fields: dict[str, Any], rule: str
) -> None:
    mapping = {"prompt": "text", "response": "label", "effective_from": "note", "department": "label"}
    constants = {"task": "triage", "language": "en"}
    run.ingest(table([*ROWS[:3], row], COLUMNS), mapping=mapping, constants=constants, **fields)
    found = show(run, "src:4")
    assert found.columns == {"note": ""} | row and found.findings[0].startswith(f"ingest: {rule}: ")


def test_a_row_that_is_none_has_no_values_and_says_why(run: Run) -> None:
    data = table(messages(3)) + b"cut off\n"
    run.ingest(data, how=params(max_malformed_share=0.5))
    found = show(run, "src:4")
    assert (found.record_id, found.columns) == (None, {})
    assert found.findings == ["ingest: field_count: line 5: 1 fields, the header has 2"]


def test_what_is_no_text_is_told_all_the_same(run: Run) -> None:
    run.ingest(table(messages(3)) + b"na\xefve \xff,a\nna\xc3\xafve,b\n", how=params(max_malformed_share=0.5))
    columns = show(run, "src:4").columns
    assert columns == {"text": "na<U+DCEF>ve <U+DCFF>", "label": "a"}


def test_what_is_no_text_is_told_as_json_would_have_it() -> None:
    values = {
        "day": date(2025, 1, 2),
        "no": None,
        "yes": True,
        "list": ["x", {"y": None}],
        "half": "\ud800",
        "deep": reduce(lambda inner, _: [inner], range(900), "x"),
        "raw": b"\xff",
    }
    told, deep = source_row.format_values(values), "<lists and objects in more than 100 others>"
    assert [*told.values()] == ["2025-01-02", None, "true", '["x", {"y": null}]', "<U+D800>", deep, "b'\\xff'"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("src:5", r"source src had 4 rows in run .*; there is no row 5"),
        ("src:0", "rows count from 1"),
        ("src:-1", "rows count from 1"),
        ("src:", "rows count from 1"),
        ("src:4:4", "rows count from 1"),
        ("src:four", "rows count from 1"),
        ("src:٤", "rows count from 1"),
        (f"src:{'9' * 5000}", "rows count from 1"),
        (f"src:{'9' * 18}", "there is no row 999,999"),
        ("other:1", "has no source 'other'; it has src$"),
        (":1", "has no source ''; it has src$"),
    ],
)
def test_a_row_that_there_is_not_is_told(ingested: Run, wanted: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        show(ingested, wanted)
    assert looked(ingested) == []


def test_a_source_that_changed_since_shows_nothing(ingested: Run) -> None:
    path = ingested.root / "data.csv"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"Ada", b"Eve"))
    pinned = resolve_source(source("data.csv"), ingested.root)
    with pytest.raises(InputError, match=r"row 4 of source src can no longer be shown: .* pinned, SHA-256") as refused:
        show(ingested, "src:4")
    assert "has changed since" in str(refused.value) and pinned.sha256 in str(refused.value)
    assert "Eve" not in str(refused.value) and show(ingested, "src:2").messages
    path.write_bytes(before)
    assert show(ingested, "src:4").columns == BAD


def test_a_source_that_is_gone_shows_nothing_and_the_attempt_is_known(ingested: Run) -> None:
    (ingested.root / "data.csv").unlink()
    with pytest.raises(InputError, match=r"row 4 of source src can no longer be shown: .* there is no data\.csv"):
        show(ingested, "src:4")
    assert [entry.subject for entry in looked(ingested)] == ["src:4"]


def test_who_may_not_look_and_who_gives_no_reason_sees_no_row(ingested: Run) -> None:
    with pytest.raises(Refused, match="stranger may not look at records of src"):
        show(ingested, "src:4", STRANGER)
    with pytest.raises(InputError, match="say in words why you look"):
        show(ingested, "src:4", reason=" \n")
    assert looked(ingested) == []


def test_what_cannot_be_recorded_is_not_read(ingested: Run) -> None:
    ledger = open_ledger(ingested.layout.state)
    with sqlite3.connect(ingested.layout.state / "ledger.db") as connection:
        connection.execute("DROP TABLE hallmark_ledger")
    (ingested.root / "data.csv").unlink()  # reading it would be another error
    with pytest.raises(Unavailable):
        disclosure.disclose_row(ingested.layout, "src:4", ingested.access(OWNER), "a test", ledger)


def test_a_run_before_ingest_has_no_rows(run: Run) -> None:
    for wanted in ("src:1", "0a"):
        with pytest.raises(InputError, match=r"has no records here; name a run that has been through `ingest`"):
            disclosure.disclose_row(
                run.layout, wanted, Access(OWNER, frozenset(), {}), "a test", open_ledger(run.layout.state)
            )


def test_reading_stops_at_the_row(run: Run) -> None:
    """What stands behind it is cut off within a quote, at which reading on would end."""
    (run.root / "data.csv").write_bytes(b'text,label\none,a\ntwo\nthree,"b')
    pinned = resolve_source(source("data.csv"), run.root)
    assert source_row.read_row(pinned, 1, run.layout) == Row(1, {"text": "one", "label": "a"})
    assert source_row.read_row(pinned, 2, run.layout) == MalformedRow(
        2, "field_count", "line 3: 1 fields, the header has 2"
    )
    with pytest.raises(InputError, match="is truncated"):
        source_row.read_row(pinned, 3, run.layout)


def test_a_look_leaves_nothing_behind(ingested: Run) -> None:
    show(ingested, "src:4")
    before = {path: path.read_bytes() for path in files(ingested.root)}
    show(ingested, "src:4")
    changed = {path.name for path in files(ingested.root) if before.get(path) != path.read_bytes()}
    assert {name.partition("-")[0] for name in changed} == {"ledger.db"}


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.attack(rights="stage", stopped="a result of ingest that is odd is told as that")
@pytest.mark.parametrize("odd", ["[" * 100_000, "{}", '{"sources": [{"id": "src"}]}', '{"sources": 7}', "[1]", ""])
def test_an_odd_count_of_rows_is_told(ingested: Run, odd: str) -> None:
    path = ingested.layout.artefacts("ingest") / "result.json"
    path.write_text(odd)
    with pytest.raises(InputError, match="expected the number of rows of each source"):
        show(ingested, "src:4")
