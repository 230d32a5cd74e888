"""What owners ask about protection, ages and what became of rows; and columns made of a million records as of one."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.core.errors import InputError
from tasks.core.files import read_json, write_json
from tasks.core.records.record import MESSAGE_TYPE, RECORD_SCHEMA, write_table
from tasks.core.steps.data import LAST_FILTER_STAGE
from tasks.sources.expectation_suites import Suites
from tasks.sources.resolved_sources import ResolvedSources, load_resolved
from tasks.stages.data.conversations import prompts, targets
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.validate import outcomes, remaining_finds, validate
from tasks.stages.data.validate.ages import AGE_COLUMNS
from tasks.stages.data.validate.frame import KNOWN_COLUMNS, RecordTable
from tasks.stages.data.validate.remaining_finds import remaining_categories
from tasks.stages.data.validate.suite_results import ExpectationResult
from tests.stages.data.build import Run, messages, params, record, source, suite, table

TEXTS = "expect_texts_to_hold_nothing_protected"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
NOT_IN_SET = "expect_column_values_to_not_be_in_set"
AS_OF, NEXT = date(2026, 3, 1), date(2026, 4, 1)
"""The first of the run's month, and of the next one."""
PLANTED = "Call Dr. Quentin Zacharias on +49 30 901820, IBAN DE89 3704 0044 0532 0130 00"


def check(run: Run, kind: str, of: str | None = None, **kwargs: Any) -> ExpectationResult:
    """One expectation, of the dataset or of a source."""
    asked = suite((kind, kwargs))
    run.put_suites(Suites(by_source={of: asked} if of else {}, dataset=None if of else asked))
    (outcome,) = validate.run(params(), run.layout).suites
    return outcome.expectations[0]


def pin(run: Run, **protect: dict[str, str]) -> None:
    """Sources of a year's retention and a week's refresh, with what each says of protection."""
    (run.root / "x.csv").write_bytes(table(messages(1)))
    told = {"retention_days": 365, "refresh_days": 7}
    run.resolve(*(source("x.csv", id=name, protect=actions, **told) for name, actions in protect.items()))


def records(run: Run, stage: str = LAST_FILTER_STAGE, json_target: bool = False) -> RecordTable:
    """What suites are asked of: the records that a stage left."""
    return RecordTable(
        run.layout.artefacts(stage) / "records.parquet", load_resolved(run.layout.sources_path), json_target
    )


def texts(run: Run, *prompts: str) -> None:
    run.put(LAST_FILTER_STAGE, [record(text, number=n) for n, text in enumerate(prompts)])


def test_what_protection_should_have_taken_is_found_and_not_told(run: Run) -> None:
    texts(run, "nothing here", PLANTED, "When do you open?")
    found = check(run, TEXTS)
    assert (found.success, found.unexpected_count) == (False, 1)
    assert found.unexpected_percent == pytest.approx(100 / 3)
    for path in run.layout.artefacts("validate").rglob("*.*"):
        text = path.read_text()
        assert not any(word in text for word in ("Quentin", "Zacharias", "901820", "DE89", "3704")), path.name
    page = (run.layout.artefacts("validate") / "docs" / "dataset.html").read_text()
    assert "must hold nothing personal or secret but what is kept" in page and "1 unexpected values found" in page


def test_masks_tokens_and_what_the_source_keeps_are_not_findings(run: Run) -> None:
    masked = (
        "Call [name:k3v9x2ab7dqm] on [phone], born [birth_date:1980], mail [email:example.org], [network:10.0.0.0/24]"
    )
    texts(run, masked, "My IBAN is DE89 3704 0044 0532 0130 00")
    pin(run, src={"iban": "keep"})
    assert check(run, TEXTS).unexpected_count == 0
    pin(run, src={})
    assert check(run, TEXTS).unexpected_count == 1


def test_a_share_may_be_allowed_and_a_sample_is_always_the_same(run: Run) -> None:
    texts(run, PLANTED, *(f"message {number}" for number in range(9)))
    assert check(run, TEXTS, at_most=0.1).success and not check(run, TEXTS, at_most=0.09).success
    assert check(run, TEXTS, sample=1).unexpected_percent == 100
    assert (
        remaining_finds.sample_record_ids(["c", "a", "b"], 2)
        == remaining_finds.sample_record_ids(["b", "c", "a"], 2)
        == {"a", "b"}
    )


@pytest.mark.parametrize(
    ("text", "span", "wanted"),
    [
        ("see [name:k3v9x2ab7dqm] there", (4, 23), set()),
        ("see [name:k3v9x2ab7dqm] there", (10, 22), set()),
        ("see [name:k3v9x2ab7dqm] there", (4, 29), {"credential"}),
        ("see [name], there", (4, 11), set()),
        ("see [this] there", (5, 9), {"credential"}),
    ],
)
def test_only_what_is_outside_of_masks_is_left(text: str, span: tuple[int, int], wanted: set[str]) -> None:
    assert remaining_categories(text, [DetectedSpan(*span, "credential")]) == wanted


def test_a_text_that_cannot_be_read_counts() -> None:
    assert remaining_categories("x", None) is None
    assert (
        remaining_finds.count_unprotected_records(
            [("src", ["x"])], {"src": ["name"]}, lambda texts: [None] * len(texts)
        )
        == 1
    )


def test_ages_are_counted_to_the_month_of_the_run(run: Run) -> None:
    first_kept = NEXT - timedelta(days=365)
    dates = [first_kept, first_kept - timedelta(days=1), None]
    run.put(
        LAST_FILTER_STAGE,
        [record(f"p{n}", number=n, effective_from=day, retired_at=AS_OF) for n, day in enumerate(dates)],
    )
    pin(run, src={})
    frame = records(run).to_frame("src", set(AGE_COLUMNS))
    assert frame["age_days"].tolist()[:2] == [334, 335]
    assert frame["retention_days_left"].tolist()[:2] == [0, -1], "counted to the first of the next month"
    assert frame["refresh_days_left"].tolist()[:2] == [-327, -328]
    assert frame["retirement_days_left"].tolist() == [0, 0, 0]
    assert frame["age_days"].isna().tolist() == [False, False, True]
    late = check(run, BETWEEN, of="src", column="retention_days_left", min_value=0)
    assert (late.success, late.unexpected_count) == (False, 1)
    stale = check(run, "expect_column_max_to_be_between", of="src", column="refresh_days_left", min_value=0)
    assert (stale.success, stale.observed) == (False, -327)


def test_what_ingest_keeps_has_retention_days_left(run: Run) -> None:
    first_kept = NEXT - timedelta(days=365)
    rows = [{"text": f"t{n}", "label": "x", "from": first_kept - timedelta(days=n)} for n in (0, 1)]
    mapping = {"prompt": "text", "response": "label", "effective_from": "from"}
    run.ingest(table(rows, ["text", "label", "from"]), mapping=mapping, retention_days=365)
    assert run.rules_of("ingest") == {2: "past_retention"}
    kept = records(run, "ingest").to_frame("src", set(AGE_COLUMNS))
    assert kept["retention_days_left"].tolist() == [0]


def test_freshness_of_a_source_without_dates_is_not_met(run: Run) -> None:
    texts(run, "a", "b")
    assert not check(run, "expect_column_max_to_be_between", column="refresh_days_left", min_value=0).success


def gone(rows: int, records: int, **quarantined: int) -> dict[str, Any]:
    return {"rows": rows, "records": records, "quarantined": quarantined}


def went(run: Run) -> None:
    """Of source `a` ten rows became five records, of `b` four became four."""
    run.put(LAST_FILTER_STAGE, [record(f"p{n}", number=n, source_id="a" if n < 5 else "b") for n in range(9)])
    ingested, all_of_b = gone(10, 8, past_retention=2), gone(4, 4)
    results = {
        "ingest": {"sources": [{"id": "a", "counts": ingested}, {"id": "b", "counts": all_of_b}]},
        "clean": {"by_source": {"a": gone(8, 7, empty_prompt=1), "b": all_of_b}},
        "deduplicate": {
            "by_source": {"a": gone(7, 5, near_duplicate=1, conflict_undecided=1), "b": all_of_b},
            "near": {},
        },
    }
    for stage, result in results.items():
        write_json(run.layout.artefacts(stage) / "result.json", result)


def test_rows_put_aside_are_counted_of_all_rows_of_the_source(run: Run) -> None:
    went(run)
    rules = ["past_retention", "near_duplicate"]
    of_a = check(run, NOT_IN_SET, of="a", column="outcome", value_set=rules, mostly=0.75)
    assert (of_a.success, of_a.unexpected_count, of_a.unexpected_percent) == (False, 3, 30)
    assert check(run, NOT_IN_SET, of="a", column="outcome", value_set=rules, mostly=0.7).success
    assert check(run, NOT_IN_SET, of="b", column="outcome", value_set=rules).success
    whole = check(run, IN_SET, column="outcome", value_set=["kept"])
    assert (whole.unexpected_count, whole.unexpected_percent) == (5, pytest.approx(500 / 14))


def test_questions_about_records_and_about_rows_stand_in_the_order_of_the_suite(run: Run) -> None:
    went(run)
    aside = (NOT_IN_SET, {"column": "outcome", "value_set": ["empty_prompt"]})
    rows = ("expect_table_row_count_to_be_between", {"min_value": 9})
    kept = (IN_SET, {"column": "outcome", "value_set": ["kept"]})
    run.put_suites(Suites(by_source={}, dataset=suite(aside, rows, kept)))
    (outcome,) = validate.run(params(), run.layout).suites
    told = [(item.type, item.unexpected_count) for item in outcome.expectations]
    assert told == [(NOT_IN_SET, 1), (rows[0], None), (IN_SET, 5)]


@pytest.mark.parametrize(
    ("kind", "kwargs", "message"),
    [
        (
            NOT_IN_SET,
            {"column": "outcome", "value_set": ["near_duplicat"]},
            "outcome 'near_duplicat', which no row can",
        ),
        (NOT_IN_SET, {"column": "outcome", "value_set": ["not_drawn"]}, "there are kept, stray_quote, "),
        (TEXTS, {"spared": {"src": ["name"]}}, "multiple values for keyword argument 'spared'"),
        (TEXTS, {"columns": ["prompt_chars"]}, "unexpected value; permitted: 'prompt'"),
        (TEXTS, {"columns": ["nope"]}, "is about 'nope', which the records do not have"),
        (TEXTS, {"sample": 0}, "greater than or equal to 1"),
        (TEXTS, {"at_most": 2}, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(run: Run, kind: str, kwargs: dict[str, Any], message: str) -> None:
    went(run)
    with pytest.raises(InputError, match=message):
        check(run, kind, **kwargs)


def test_prompts_and_targets_of_a_column() -> None:
    turns = [["a", "b"], ["é", "", "x\ny", "z"], ["only"], ["", ""]]
    rows = [[{"role": "user", "content": text} for text in texts] for texts in turns]
    column = pa.array(rows, pa.list_(MESSAGE_TYPE))
    for part, own in ((column, rows), (column.slice(1, 2), rows[1:3]), (column.slice(0, 0), [])):
        assert prompts(part).to_pylist() == ["\n".join(turn["content"] for turn in row[:-1]) for row in own]
        assert targets(part).to_pylist() == [row[-1]["content"] for row in own]


def test_a_frame_has_the_columns_asked_for_and_no_other(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.stages.data.validate.frame.BATCH", 3)  # many batches
    targets = ['{"a": 1, "b": [2]}', "no JSON", '{"a": "x"}', '{"a": 1, "b": [2]}']
    run.put(LAST_FILTER_STAGE, [record(f"p{n}", text, number=n) for n, text in enumerate(targets)])
    made = records(run, json_target=True)
    assert made.count_rows_by_source() == {"src": 4}
    frame = made.to_frame(None, {"prompt", "target.b", "target.none"})
    assert {name: list(frame[name]) for name in frame}["prompt"] == ["p0", "p1", "p2", "p3"]
    assert list(frame.columns) == ["prompt", "target.b"]
    assert frame["target.b"].fillna("").tolist() == ["[2]", "", "", "[2]"]
    assert list(made.to_frame("src").columns) == [*KNOWN_COLUMNS, "target.a", "target.b"]
    assert len(made.to_frame("src", set())) == 4


def test_fields_that_nobody_asks_for_cost_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets may be maps keyed by ids, each with fields of its own."""
    targets = [json.dumps({"a": n, **{f"id{n}-{m}": m for m in range(50)}}) for n in range(100)]
    targets += ["[" * 2000, r'{"a": "\ud83d"}']
    run.put(LAST_FILTER_STAGE, [record(f"p{n}", text, number=n) for n, text in enumerate(targets)])
    seen: list[Any] = []
    monkeypatch.setattr("tasks.stages.data.validate.frame._scalar", lambda value: seen.append(value) or value)
    frame = records(run, json_target=True).to_frame(None, {"target.a"})
    assert list(frame.columns) == ["source_id", "target.a"]
    assert frame["target.a"].tolist()[:100] == list(range(100)) and frame["target.a"].isna().sum() == 2
    assert len(seen) == len(targets)


def test_a_row_condition_may_name_any_column(run: Run) -> None:
    texts(run, "short", "a longer prompt")
    asked = {"column": "prompt_chars", "max_value": 9}
    condition = {"type": "comparison", "column": {"name": "language"}, "operator": "=="}
    assert not check(run, BETWEEN, **asked, row_condition=condition | {"parameter": "en"}).success
    assert check(run, BETWEEN, **asked, row_condition=condition | {"parameter": "de"}).success


def test_rules_that_nobody_looked_by_are_no_outcomes(run: Run) -> None:
    went(run)
    looked = read_json(run.layout.artefacts("deduplicate") / "result.json")
    write_json(run.layout.artefacts("deduplicate") / "result.json", looked | {"near": None})
    with pytest.raises(InputError, match=r"data\.near_duplicates is null, so nobody looked for them"):
        check(run, NOT_IN_SET, column="outcome", value_set=["near_test"])


def test_a_rule_that_is_not_listed_loses_no_rows_in_silence(run: Run) -> None:
    went(run)
    write_json(
        run.layout.artefacts("clean") / "result.json", {"by_source": {"a": gone(8, 7, new_rule=1), "b": gone(4, 4)}}
    )
    with pytest.raises(AssertionError, match="quarantined rows by new_rule"):
        check(run, NOT_IN_SET, column="outcome", value_set=["retired"])


def test_the_same_question_twice_is_refused(run: Run) -> None:
    texts(run, "a")
    asked = (BETWEEN, {"column": "prompt_chars", "max_value": 9})
    run.put_suites(Suites(by_source={}, dataset=suite(asked, asked)))
    with pytest.raises(InputError, match="expect_column_values_to_be_between is asked twice alike"):
        validate.run(params(), run.layout)


def test_every_rule_of_the_stages_before_is_an_outcome(run: Run) -> None:
    rows = {
        '{"t": "x", "l": "y", "a": "z"}': "unknown_department",
        '{"t": "x", "l": "y", "k": "z"}': "unknown_kind",
        '{"t": "x", "l": "y", "d": "soon"}': "bad_effective_from",
        '{"t": 1, "l": "y"}': "not_text",
        "no": "not_json",
        "[]": "not_object",
    }
    data = "\n".join([*rows, '{"t": "ok", "l": "y"}']).encode()
    mapping = {"prompt": "t", "response": "l", "kind": "k", "effective_from": "d", "department": "a"}
    told = {"mapping": mapping, "labels": {"department": ["sales"]}}
    result = run.ingest(data, "data.jsonl", params(max_malformed_share=1), kind="jsonl", **told)
    assert set(result.counts.quarantined) == set(rows.values())
    assert set(result.counts.quarantined) <= {*outcomes.GENERAL_RULES, *outcomes.NEAR_DUPLICATE_RULES}


@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_field_of_an_expectation_is_compared_as_texts_are_stored(tmp_path: Path, is_ascii: bool) -> None:
    spelled, stored = "cafe\u0301", "caf\u00e9"
    (expectation,) = suite((IN_SET, {"column": f"target.{spelled}"})).expectations
    name = expectation.kwargs["column"]
    path = tmp_path / "records.parquet"
    targets = [json.dumps({spelled: "a"}, ensure_ascii=is_ascii), json.dumps({stored: "a"})]
    made = [record("x", target, number) for number, target in enumerate(targets)]
    write_table(pa.Table.from_pylist(made, schema=RECORD_SCHEMA), path)
    resolved = ResolvedSources(sources=[], as_of=AS_OF, vault="")
    assert list(RecordTable(path, resolved, json_target=True).to_frame(None, [name])[name]) == ["a", "a"]
