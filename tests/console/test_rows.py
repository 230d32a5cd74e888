"""The rows of a run on its page: counts for all, texts for who may see them, single records for a reason."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tasks.core.layout import Layout
from tasks.core.records.record import LABEL_FINDINGS_SCHEMA
from tasks.inquiry.access_entries import PERSON_SOUGHT, ROW_READ, TOKENS_READ
from tasks.ledger.ledger import open_ledger
from tests.console.conftest import WAITING, write_journal
from tests.console.visits import reader_of
from tests.editing import changed
from tests.in_process import hallmark_json
from tests.tiny_project import create
from tests.whole_run import RUN

ROWS = f"/api/runs/{WAITING}/rows"
SHOWN = f"/runs/{WAITING}/shown"
LOOKS = (ROW_READ, PERSON_SOUGHT, TOKENS_READ)


def form_token(client: TestClient) -> str:
    page = client.get(f"/runs/{WAITING}/rows").text
    return page.partition('data-form-token="')[2].partition('"')[0]


def test_an_owner_sees_what_was_put_aside_and_what_was_masked(app: FastAPI) -> None:
    said = reader_of(app, "data-owner").get(ROWS).json()
    assert said["compared"] and said["masked"]["closed"] == []
    assert sum(each["rows"] for each in said["counts"]) == said["total"] > 0
    assert all(row["reason"] for row in said["rows"])
    sample = next(each for each in said["masked"]["samples"] if each["category"] == "name")
    text = "".join(piece[0] for piece in sample["pieces"])
    assert "my name is [name:" in text and "Lovelace" not in text
    assert [piece[0][:6] for piece in sample["pieces"] if piece[1]] == ["[name:"]


@pytest.mark.attack(rights="visitor", stopped="texts of records are for who may see single records of their source")
def test_who_may_not_see_records_sees_counts_alone(app: FastAPI, lived_in: Path) -> None:
    client = reader_of(app, "ml-engineer")
    said = client.get(ROWS).json()
    assert said["masked"] == {"samples": [], "closed": ["messages"]} and said["counts"] and said["conflicts"] == []
    before = open_ledger(lived_in / ".hallmark").last_seq()
    asked = {"record": "messages:1", "reason": "curious", "form_token": form_token(client)}
    answer = client.post(SHOWN, data=asked)
    assert answer.status_code == 409 and "may not look at records of messages" in answer.text
    assert open_ledger(lived_in / ".hallmark").last_seq() == before


def test_a_record_is_shown_for_a_reason_that_the_ledger_keeps(app: FastAPI, lived_in: Path) -> None:
    client = reader_of(app, "data-owner")
    record = client.get(ROWS).json()["masked"]["samples"][0]["record_id"]
    asked = {"record": record, "reason": " a customer <asked> ", "form_token": form_token(client)}
    assert client.post(SHOWN, data=asked | {"reason": " "}).status_code == 400
    assert client.post(SHOWN, data=asked | {"form_token": "another"}).status_code == 409
    answer = client.post(SHOWN, data=asked)
    assert answer.status_code == 200 and "Ada Lovelace" in answer.text, answer.text
    look = open_ledger(lived_in / ".hallmark").entries(TOKENS_READ)[-1]
    assert (look.body["person"], look.body["reason"]) == ("data-owner", "a customer <asked>")
    row = client.get(ROWS).json()["rows"][0]
    answer = client.post(SHOWN, data=asked | {"record": f"{row['source_id']}:{row['row']}"})
    assert answer.status_code == 200 and row["rule"] in answer.text
    assert open_ledger(lived_in / ".hallmark").entries()[-1].kind in (ROW_READ, TOKENS_READ)


def test_where_a_person_is_is_asked_for_a_reason(app: FastAPI, lived_in: Path) -> None:
    client = reader_of(app, "data-owner")
    asked = {"subject": "Ada Lovelace", "reason": "she asked", "form_token": form_token(client)}
    assert client.post("/where", data=asked | {"reason": ""}).status_code == 400
    answer = client.post("/where", data=asked)
    assert answer.status_code == 200 and "/releases/tiny-1" in answer.text, answer.text
    entry = open_ledger(lived_in / ".hallmark").entries(PERSON_SOUGHT)[-1]
    assert entry.body["reason"] == "she asked" and "Ada" not in str(entry.body)
    looks = {each.seq: each.kind for each in open_ledger(lived_in / ".hallmark").entries() if each.kind in LOOKS}
    assert PERSON_SOUGHT in looks.values()
    assert {row["entry"] for row in client.get("/api/ledger?kind=look").json()["rows"]} == looks.keys()
    assert {row["seq"] for row in hallmark_json(lived_in, "ledger", "list", "--kind", "look")} == looks.keys()
    answers = {each["id"]: each["answer"] for each in client.get("/api/audit").json()["questions"]}
    assert {line["href"] for line in answers["looked"]} == {*(f"/ledger/{seq}" for seq in looks), "/ledger?kind=look"}
    record = answer.text.partition("/where?record=")[2].partition('"')[0]
    assert {row["record"] for row in client.get(f"/api/where?record={record}").json()["rows"]} == {record}
    closed = reader_of(app, "ml-engineer")
    answer = closed.post("/where", data=asked | {"form_token": form_token(closed)})
    assert answer.status_code == 409 and "may look at records of no source" in answer.text


@pytest.mark.attack(rights="worker", stopped="a page beside a decision shows only files that the gate looked at")
@pytest.mark.parametrize(
    ("name", "path"), [("ingest/quarantine.parquet", "/runs/{}/rows"), ("validate/docs", "/runs/{}/docs/")]
)
def test_a_file_that_was_changed_after_the_question_is_not_shown(
    app: FastAPI, lived_in: Path, name: str, path: str
) -> None:
    client = reader_of(app, "data-owner")
    file = Layout(lived_in / ".hallmark" / "runs" / WAITING).root / "artefacts" / name
    file = next(file.rglob("index.html")) if file.is_dir() else file
    with changed(file, lambda before: before + b" "):
        answer = client.get(path.format(WAITING))
        assert answer.status_code == 409 and "is not what its data gate looked at" in answer.text
    assert client.get(path.format(WAITING)).status_code == 200


UNASKED = "20260105-000000-feed"
"""A run that has asked no gate, with files of WAITING: nothing is compared, and its code may have written anything."""


@pytest.fixture(scope="module")
def running(lived_in: Path) -> Iterator[Layout]:
    run = create(lived_in, UNASKED)
    write_journal(lived_in, UNASKED, "running")
    yield run.layout
    shutil.rmtree(run.layout.root)
    for path in run.layout.root.parent.glob(f"{UNASKED}.*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def unasked(lived_in: Path, running: Layout) -> Layout:
    waiting = Layout(running.root.parent / WAITING)
    artefacts = running.root / "artefacts"
    shutil.rmtree(artefacts, ignore_errors=True)
    shutil.copytree(waiting.root / "artefacts", artefacts, copy_function=shutil.copyfile)
    shutil.copyfile(waiting.sources_path, running.sources_path)
    for path in artefacts.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return running


TEXTS = pa.table({"record_id": ["a"], "other": ["b"], "rule": ["conflict"], "jaccard": [1.0]})
LABELS = pa.Table.from_pylist(
    [{"record_id": "a", "source_id": "messages", "label": "b", "finding": "near_equal", "near_sources": ["messages"]}],
    schema=LABEL_FINDINGS_SCHEMA,
)
ODD: dict[str, tuple[str, bytes | pa.Table]] = {
    "no Parquet": ("ingest/quarantine.parquet", b"PAR1 no"),
    "nothing": ("clean/quarantine.parquet", b""),
    "other columns": ("ingest/quarantine.parquet", pa.table({"x": [1]})),
    "other types": ("clean/quarantine.parquet", pa.table({"source_id": [1], "row": ["a"], "rule": [None]})),
    "records that are not there": ("deduplicate/conflicts.parquet", TEXTS),
    "no conflicts": ("deduplicate/conflicts.parquet", b""),
    "labels of records that are not there": ("split/label_findings.parquet", LABELS),
    "no labels": ("split/label_findings.parquet", b""),
    "other columns of labels": ("split/label_findings.parquet", pa.table({"record_id": ["a"]})),
    "too much": ("ingest/quarantine.parquet", pa.table({"reason": ["x" * (1 << 20)]})),
}


@pytest.mark.attack(rights="stage", stopped="odd files of a run are told in words, and break no page")
@pytest.mark.parametrize("odd", ODD)
def test_files_that_no_stage_of_ours_wrote_break_no_page(app: FastAPI, unasked: Layout, odd: str) -> None:
    name, content = ODD[odd]
    path = unasked.root / "artefacts" / name
    if isinstance(content, pa.Table):
        pq.write_table(pa.concat_tables([content] * (300 if odd == "too much" else 1)), path)
    else:
        path.write_bytes(content)
    answer = reader_of(app, "data-owner").get(f"/runs/{UNASKED}/rows")
    assert (answer.status_code in (400, 409) and UNASKED in answer.text) or "too large for a page" in answer.text


@pytest.mark.attack(rights="stage", stopped="words of a stage are for who may see records of the source")
def test_a_label_to_look_at_is_named_with_its_rows_to_who_may_see_the_source(app: FastAPI, unasked: Layout) -> None:
    path = unasked.artefacts("split") / "label_findings.parquet"
    assert pq.read_schema(path).names == LABEL_FINDINGS_SCHEMA.names
    place = pq.read_table(unasked.artefacts("ingest") / "rows.parquet").to_pylist()[2]
    named = {"record_id": place["record_id"], "source_id": place["source_id"], "partition": "test"}
    found = [
        {"label": "Rare <b>", "finding": "not_trained", "near": None, "near_sources": []},
        {"label": "refnud", "finding": "near_equal", "near": "refund", "near_sources": ["messages"]},
    ]
    pq.write_table(pa.Table.from_pylist([named | each for each in found], schema=LABEL_FINDINGS_SCHEMA), path)
    page = reader_of(app, "data-owner").get(f"/runs/{UNASKED}/rows").text
    assert "Labels to look at: 2" in page and "“Rare &lt;b&gt;”" in page and "nearly equals “refund”" in page
    assert f"messages, row {place['row']} (test)" in page
    for where in (f"/runs/{UNASKED}/rows", f"/api/runs/{UNASKED}/rows"):
        other = reader_of(app, "ml-engineer").get(where).text
        assert "refnud" not in other and "refund" not in other and "Rare" not in other
    assert "2 rows with such a label are of sources that you may not look at" in " ".join(
        reader_of(app, "ml-engineer").get(f"/runs/{UNASKED}/rows").text.split()
    )


@pytest.mark.attack(rights="stage", stopped="words of a stage are for who may see records of the source")
def test_a_reason_that_holds_a_text_is_for_who_may_see_the_source(app: FastAPI, unasked: Layout) -> None:
    path = unasked.artefacts("clean") / "quarantine.parquet"
    table = pq.read_table(path).to_pylist()
    told = [row | {"reason": "Ada Lovelace said so", "rule": "Ada Lovelace"} for row in table]
    pq.write_table(pa.Table.from_pylist(told, schema=pq.read_schema(path)), path)
    assert "Ada Lovelace" in reader_of(app, "data-owner").get(f"/runs/{UNASKED}/rows").text
    for place in (f"/runs/{UNASKED}/rows", f"/api/runs/{UNASKED}/rows", f"/runs/{UNASKED}/rows.csv"):
        assert "Ada" not in reader_of(app, "ml-engineer").get(place).text


@pytest.mark.attack(rights="stage", stopped="a record is shown as of the source of its row alone")
def test_a_record_that_is_of_two_sources_is_shown_to_nobody(app: FastAPI, unasked: Layout) -> None:
    path = unasked.artefacts("ingest") / "records.parquet"
    records = pq.read_table(path).to_pylist()
    for record in records:
        record["source_id"] = "secret"
    pq.write_table(pa.Table.from_pylist(records, schema=pq.read_schema(path)), path)
    client = reader_of(app, "data-owner")
    asked = {"record": records[0]["record_id"], "reason": "to see", "form_token": form_token(client)}
    answer = client.post(f"/runs/{UNASKED}/shown", data=asked)
    assert answer.status_code == 409 and "disagree about the source" in answer.text


@pytest.mark.attack(rights="worker", stopped="a record is shown as the gate looked at it, or not at all")
def test_a_record_that_was_changed_after_the_question_is_not_shown(app: FastAPI, lived_in: Path) -> None:
    path = Layout(lived_in / ".hallmark" / "runs" / WAITING).artefacts("ingest") / "records.parquet"
    client = reader_of(app, "data-owner")
    asked = {"record": "messages:1", "reason": "to see", "form_token": form_token(client)}
    with changed(path, lambda before: before + b" "):
        answer = client.post(SHOWN, data=asked)
        assert answer.status_code == 409 and "is not what its data gate looked at" in answer.text


def test_figures_that_are_none_leave_the_rest_of_a_run_and_of_its_gate(app: FastAPI, lived_in: Path) -> None:
    path = Layout(lived_in / ".hallmark" / "runs" / RUN).artefacts("evaluate") / "metrics.json"
    client = reader_of(app, "product-owner")
    with changed(path, lambda _: b"{}"):
        for place in (f"/runs/{RUN}", f"/gates/{RUN}/evaluation"):
            answer = client.get(place)
            assert answer.status_code == 200 and "is not what its evaluation gate looked at" in answer.text
