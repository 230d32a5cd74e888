"""Wrong answers: found by kind, slice and length, and shown to who may see single records of the source."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.records.record import RECORD_SCHEMA, read_table, write_table
from tasks.inquiry import wrong_answers
from tasks.inquiry.wrong_answers import FILE_START, Wanted, WrongAnswers
from tasks.policy.people import Person
from tasks.stages.data.split.partitions import TEST
from tasks.stages.evaluate import judged_rows
from tasks.stages.evaluate.judged_rows import JudgedAnswer, JudgedRow
from tasks.stages.evaluate.model_names import ModelName
from tests.stages.data.build import OWNERS, Run, record, several

WRONG = {  # by number: answer of the candidate to a row that expects {"intent": "refund", "city": "Ulm"}
    0: '{"intent": "refund", "city": "Bonn"}',
    1: '{"intent": "cancel", "city": "Ulm"}',
    2: "a refund, surely",
    3: " ",
}
EXPECTED = '{"intent": "refund", "city": "Ulm"}'


def judged(row: dict[str, Any], number: int) -> JudgedRow:
    right = number not in WRONG
    text = EXPECTED if right else WRONG[number]
    label = "cancel" if "cancel" in text else "refund" if text.startswith("{") else ""
    said: dict[ModelName, JudgedAnswer] = {
        "candidate": JudgedAnswer(text, right, text.startswith("{"), label, "", 0.5 + number / 10),
        "champion": JudgedAnswer(EXPECTED, number != 1, True, "refund", "", None),
    }
    slices = {"department": "(none)", "language": row["language"], "kind": "(none)", "source": row["source_id"]}
    return JudgedRow(row["record_id"], slices, "unused", EXPECTED, "refund", said)


@pytest.fixture
def done(run: Run) -> Run:
    """Through `evaluate`: of six test rows four are answered wrongly, the first two of tickets, the others of chats."""
    run.root.mkdir(parents=True, exist_ok=True)
    rows = [
        record("long " * n + "ask", EXPECTED, number=n, source_id="chats" if n in (2, 3) else "tickets", split=TEST,
               language="de" if n % 2 else "en")
        for n in range(6)
    ]  # fmt: skip
    write_table(pa.Table.from_pylist(rows, schema=RECORD_SCHEMA), run.layout.artefacts("split") / "test.parquet")
    run.put_rows(
        [{"record_id": row["record_id"], "source_id": row["source_id"], "row": n + 1} for n, row in enumerate(rows)]
    )
    examples = judged_rows.to_table([judged(row, n) for n, row in enumerate(rows)])
    write_table(examples, run.layout.artefacts("evaluate") / "examples.parquet")
    sources = {name: [{"text": "a", "label": "b"}] * 6 for name in ("tickets", "chats")}
    run.resolve(*several(run.root, sources, steward="bob"))
    return run


def found(run: Run, who: str = OWNERS["tickets"], model: ModelName = "candidate", **wanted: Any) -> WrongAnswers:
    person = Person(id=who, name=who, roles=["auditor"])
    return wrong_answers.find_wrong_answers(run.layout, run.access(person), model).select(Wanted(**wanted))


def rows_of(answers: WrongAnswers) -> list[int]:
    return [each.row for each in answers.answers]


def test_the_most_confident_come_first_each_with_its_kind_of_error(done: Run) -> None:
    mine, theirs = found(done), found(done, OWNERS["chats"])
    assert [(each.row, each.error, each.right) for each in mine.answers] == [
        (2, "wrong_label", []), (1, "wrong_field", ["champion"]),
    ]  # fmt: skip
    assert [(each.row, each.error) for each in theirs.answers] == [(4, "no_answer"), (3, "malformed")]
    assert (mine.answered, mine.withheld, mine.answers[0].prompt) == (6, 2, "long ask")
    assert [(each.row, each.right) for each in found(done, model="champion").answers] == [(2, [])]


def test_conditions_narrow_what_is_shown(done: Run) -> None:
    assert rows_of(found(done, errors=["wrong_field"])) == [1]
    assert rows_of(found(done, slices={"language": ["de"]})) == [2]
    assert rows_of(found(done, slices={"language": ["de", "en"], "source": ["tickets"]})) == [2, 1]
    assert rows_of(found(done, right_by="champion")) == [1]
    assert rows_of(found(done, min_characters=8)) == [2]
    assert rows_of(found(done, max_characters=3)) == [1]
    assert rows_of(found(done, expected_labels=["cancel"])) == []
    with pytest.raises(InputError, match="'age' is no field of test rows; there are department, language, kind"):
        found(done, slices={"age": ["3"]})


def test_the_file_has_one_document_per_line(done: Run, tmp_path: Path) -> None:
    found(done).write_lines(tmp_path / "errors.jsonl")
    data = (tmp_path / "errors.jsonl").read_bytes()
    assert data.startswith(FILE_START)
    assert [json.loads(line)["row"] for line in data.splitlines()] == [2, 1]


@pytest.mark.attack(rights="visitor", stopped="texts of records are for who may see single records of their source")
def test_who_may_see_no_source_is_told_none_of_its_answers(done: Run) -> None:
    with pytest.raises(Refused, match=r"may see none of the 4 rows with a wrong answer .* chats, tickets") as told:
        found(done, "nobody")
    assert "cancel" not in str(told.value)


@pytest.mark.attack(rights="stage", stopped="files of a run that disagree about the source of a record are not shown")
def test_an_answer_under_another_source_than_ingest_said_is_not_shown(done: Run) -> None:
    path = done.layout.artefacts("evaluate") / "examples.parquet"
    table = read_table(path)
    rows = [row | {"source": "tickets"} for row in table.to_pylist()]
    write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    with pytest.raises(Refused, match="disagree about the source of a record; nothing is shown"):
        found(done)


def test_a_run_without_answers_is_told(run: Run, done: Run) -> None:
    with pytest.raises(InputError, match="has no answers of a base model; name another with --model"):
        found(done, model="base")
    (done.layout.artefacts("evaluate") / "examples.parquet").unlink()
    with pytest.raises(InputError, match="has no judged answers here; name one that has been through `evaluate`"):
        found(done)
