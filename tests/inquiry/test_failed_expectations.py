"""Rows against the expectations of an owner: named to who may see single records of their source, not to others."""

from typing import Any

import pyarrow as pa
import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.files import write_json
from tasks.core.records.record import RECORD_SCHEMA, write_table
from tasks.core.steps.data import LAST_FILTER_STAGE
from tasks.inquiry import failed_expectations
from tasks.inquiry.failed_expectations import FailedExpectation
from tasks.policy.people import Person
from tasks.sources.expectation_suites import ExpectationSuite, Suites
from tasks.stages.data.validate import validate
from tests.stages.data.build import OWNERS, Run, params, record, several, suite

IN_SET = ("expect_column_values_to_be_in_set", {"column": "target.intent", "value_set": ["card", "bill"]})
LENGTHS = ("expect_column_values_to_be_between", {"column": "prompt_chars", "max_value": 12})
PAIR = ("expect_column_pair_values_to_be_equal", {"column_A": "kind", "column_B": "department"})
LANGUAGES = ("expect_column_unique_value_count_to_be_between", {"column": "language", "max_value": 1})
OUTCOMES = ("expect_column_values_to_be_in_set", {"column": "outcome", "value_set": ["conflict"]})
HOW = params({"target": "json", "label_field": "intent"})
SECRET = "Quentin 4711"


def make(run: Run, dataset: ExpectationSuite | None = None, **by_source: ExpectationSuite) -> list[dict[str, Any]]:
    """Tickets and chats in alternate rows; one chat has another intent, and one prompt is long."""
    run.root.mkdir(parents=True, exist_ok=True)
    items = [
        record(f"prompt {n}", '{"intent": "card"}', number=n, source_id=("tickets", "chats")[n % 2],
               department="answer", language=("en", "de")[n == 4])
        for n in range(8)
    ]  # fmt: skip
    items[3] = record("prompt 3", f'{{"intent": "{SECRET}"}}', number=3, source_id="chats", department="answer")
    items[6] = record("a prompt that is long", '{"intent": "bill"}', number=6, source_id="tickets", department="x")
    run.put(LAST_FILTER_STAGE, items)
    run.put_suites(Suites(by_source=by_source, dataset=dataset))
    validate.run(HOW, run.layout)
    write_json(run.layout.params_path, HOW.model_dump(mode="json"))
    run.put_rows(
        [{"record_id": it["record_id"], "source_id": it["source_id"], "row": 10 + n} for n, it in enumerate(items)]
    )
    run.resolve(
        *several(run.root, {name: [{"text": "a", "label": "b"}] for name in ("tickets", "chats")}, steward="bob")
    )
    return items


def seen(run: Run, who: str, most: int = 5) -> list[FailedExpectation]:
    access = run.access(Person(id=who, name=who, roles=["auditor"]))
    return failed_expectations.find_failed_expectations(run.layout, access, most)


def test_the_rows_and_values_against_an_expectation_are_named(run: Run) -> None:
    make(run, dataset=suite(LANGUAGES, LENGTHS, IN_SET, PAIR), tickets=suite(LENGTHS, name="of-tickets"))
    own, languages, lengths, intents, pairs = seen(run, OWNERS["tickets"])
    for each in (own, lengths, pairs):
        (row,) = each.rows
        assert (row.source_id, row.row, row.record_id, each.total) == ("tickets", 16, f"{6:032x}", 1)
    assert own.rows[0].values == {"prompt_chars": "21"} and (own.suite, own.source) == ("of-tickets", "tickets")
    assert pairs.rows[0].values == {"kind": "answer", "department": "x"}
    assert (languages.total, languages.withheld, languages.result.observed) == (0, 0, 2)
    assert (intents.total, intents.withheld, intents.rows) == (0, 1, [])


@pytest.mark.attack(rights="visitor", stopped="texts of records are for who may see single records of their source")
def test_rows_of_a_source_are_for_who_may_see_its_records(run: Run) -> None:
    make(run, dataset=suite(IN_SET))
    (of_chats,) = seen(run, OWNERS["chats"])
    assert [(row.source_id, row.row, row.values) for row in of_chats.rows] == [("chats", 13, {"target.intent": SECRET})]
    for who in (OWNERS["tickets"], "nobody"):
        (others,) = seen(run, who)
        assert (others.rows, others.withheld, others.result.unexpected_count) == ([], 1, 1)
        assert SECRET not in others.model_dump_json()


def test_the_first_rows_come_by_source_and_row(run: Run) -> None:
    make(run, tickets=suite(("expect_column_values_to_be_null", {"column": "prompt"})))
    (every,) = seen(run, OWNERS["tickets"], 2)
    assert (every.total, [row.row for row in every.rows]) == (4, [10, 12])


def test_outcomes_of_rows_have_no_record_to_name(run: Run) -> None:
    make(run, dataset=suite(OUTCOMES))
    (outcomes,) = seen(run, OWNERS["tickets"])
    assert (outcomes.is_about_source_rows, outcomes.rows, outcomes.withheld) == (True, [], 0)


@pytest.mark.attack(rights="stage", stopped="files of a run that disagree about the source of a record are not shown")
def test_a_record_under_another_source_than_ingest_wrote_is_not_shown(run: Run) -> None:
    items = make(run, dataset=suite(IN_SET))
    moved = [it | {"source_id": "tickets"} for it in items]
    write_table(
        pa.Table.from_pylist(moved, schema=RECORD_SCHEMA), run.layout.artefacts(LAST_FILTER_STAGE) / "records.parquet"
    )
    with pytest.raises(Refused, match=r"disagree about the source of a record; nothing is shown"):
        seen(run, OWNERS["tickets"])


def test_a_run_whose_suites_hold_has_nothing_to_name_and_one_without_a_result_is_told(run: Run) -> None:
    run.root.mkdir(parents=True, exist_ok=True)
    with pytest.raises(InputError, match=r"has checked no suite here; name one that has been through `validate`"):
        failed_expectations.find_failed_expectations(run.layout, None, 5)  # type: ignore[arg-type]
    make(run, dataset=suite(("expect_table_row_count_to_be_between", {"min_value": 1})))
    assert seen(run, OWNERS["tickets"]) == []
