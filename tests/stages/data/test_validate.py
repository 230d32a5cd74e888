"""Suites run by the real Great Expectations, and nothing of a record in what comes out."""

import re
from datetime import date
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.core.files import tree_manifest, write_json
from tasks.core.steps.data import LAST_FILTER_STAGE
from tasks.sources.expectation_suites import Expectation, ExpectationSuite, Suites
from tasks.stages.data.validate import suite_evaluation, target_placeholders, validate
from tasks.stages.data.validate.ge_expectations import KeptCategories, columns_used
from tests.stages.data.build import Run, params, record, suite

PLANTED = "Zacharias Quentin 4711"
RECORDS = [
    record(f"prompt {number}", f'{{"intent": "card", "n": {number}}}', number=number, department="cards")
    for number in range(10)
] + [
    record(PLANTED, f'{{"intent": "{PLANTED}", "n": 471147114711}}', number=10, source_id="two", language="xx",
           department=PLANTED, policy_tags=["a", "b"], effective_from=date(2024, 5, 6), labelled_by=PLANTED),
]  # fmt: skip


def check(
    run: Run, dataset: ExpectationSuite | None = None, json_target: bool = True, **by_source: ExpectationSuite
) -> validate.ValidateResult:
    """Validate RECORDS by the suites."""
    run.put(LAST_FILTER_STAGE, RECORDS)
    run.put_suites(Suites(by_source=by_source, dataset=dataset))
    target = {"target": "json", "label_field": "intent"} if json_target else {"target": "label"}
    return validate.run(params(target), run.layout)


UNIQUE = "expect_column_values_to_be_unique"
PAIR = "expect_column_pair_values_to_be_equal"
MEAN = "expect_column_mean_to_be_between"
IN_SET = ("expect_column_values_to_be_in_set", {"column": "language", "value_set": ["en", "de"]})
LANGUAGES = ("expect_column_unique_value_count_to_be_between", {"column": "language", "max_value": 2})
ROWS = ("expect_table_row_count_to_be_between", {"min_value": 5})


def test_expectations_are_counted_and_kept_in_the_order_of_the_suite(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    result = check(run, dataset=suite(IN_SET, ROWS, LANGUAGES), src=suite(ROWS, IN_SET, name="source-checks"))
    by_source, dataset = result.suites
    assert (by_source.suite, by_source.source, by_source.rows, by_source.success) == ("source-checks", "src", 10, True)
    assert (dataset.suite, dataset.source, dataset.rows, dataset.success) == ("checks", None, 11, False)
    broken, rows, languages = dataset.expectations
    assert (broken.type, broken.column, broken.why, broken.success) == (IN_SET[0], "language", "because 0", False)
    assert (broken.unexpected_count, broken.unexpected_percent) == (1, pytest.approx(100 / 11))
    assert (rows.success, rows.observed, rows.column) == (True, 11, None)
    assert (languages.success, languages.observed, languages.why) == (True, 2, "because 2")
    facts = {name: fact["value"] for name, fact in run.result("validate")["facts"].items()}
    asked = {"evaluated_expectations": 5, "failed_expectations": 1, "failed_suites": 1}
    assert facts == asked | {"placeholders_only_in_target": 0}
    told = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("progress")]
    assert told == [f"suite checks: {IN_SET[0]} of language failed in 1 row: because 0"]


A, B = "[name:aaaaaaaaaaaa]", "[name:bbbbbbbbbbbb]"


def test_targets_that_cannot_be_told_from_their_prompt_are_counted_and_named(run: Run) -> None:
    talk = [{"role": role, "content": text} for role, text in (("user", A), ("assistant", "who?"), ("user", B))]
    answered = {"role": "assistant", "content": f"{A} and {B}"}
    pairs = [(f"by {A}", A), (f"by {A}", f"{A} {B}"), ("by", "[address]"), ("at [address]", "[address]"), (A, "b [x]")]
    records = [record(prompt, target, number=number) for number, (prompt, target) in enumerate(pairs)]
    records += [record("", number=5, messages=[*talk, answered]), record("", number=6, messages=[answered])]
    run.put(LAST_FILTER_STAGE, records)
    counted = target_placeholders.count_target_placeholders(run.layout.artefacts(LAST_FILTER_STAGE) / "records.parquet")
    assert counted.examples == [records[1]["record_id"], records[2]["record_id"]]
    assert (counted.records, counted.with_placeholder, counted.lacking) == (7, 6, 2), "a text without prompt lacks none"
    fact = counted.to_fact()
    assert fact.value == pytest.approx(2 / 7)
    assert fact.note == f"2 of 6 targets with a placeholder: records {', '.join(counted.examples)}"


EVERY_COLUMN = suite(
    ("expect_column_values_to_match_regex", {"column": "prompt", "regex": "^(?:prompt|Zach)"}),
    ("expect_column_values_to_match_regex", {"column": "target", "regex": '"n": '}),
    ("expect_column_values_to_be_json_parseable", {"column": "target"}),
    ("expect_column_values_to_be_between", {"column": "prompt_chars", "min_value": 8, "max_value": 22}),
    ("expect_column_mean_to_be_between", {"column": "target_chars", "min_value": 5}),
    ("expect_column_values_to_be_between", {"column": "target.n", "min_value": 0}),
    ("expect_column_values_to_not_be_null", {"column": "target.intent"}),
    ("expect_column_values_to_be_in_set", {"column": "policy_tags", "value_set": ["", "a;b"]}),
    ("expect_column_values_to_be_between", {"column": "effective_from", "min_value": "2024-05-06"}),
    ("expect_column_values_to_be_null", {"column": "retired_at"}),
    ("expect_column_values_to_be_in_set", {"column": "subjects", "value_set": [""]}),
    ("expect_column_values_to_be_json_parseable", {"column": "messages"}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "kind", "column_B": "kind"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["record_id", "source_id"]}),
    ("expect_column_to_exist", {"column": "geography"}),
)  # fmt: skip


def test_every_column_that_suites_may_name_is_there(run: Run) -> None:
    (outcome,) = check(run, dataset=EVERY_COLUMN).suites
    assert [item.type for item in outcome.expectations if not item.success] == []


REVEALING = suite(
    ("expect_column_values_to_be_in_set", {"column": "prompt", "value_set": ["none"]}),
    ("expect_column_values_to_match_regex", {"column": "target", "regex": "^$"}),
    ("expect_column_distinct_values_to_be_in_set", {"column": "department", "value_set": ["cards"]}),
    ("expect_column_most_common_value_to_be_in_set", {"column": "labelled_by", "value_set": ["none"]}),
    ("expect_column_max_to_be_between", {"column": "target.n", "max_value": 5}),
    ("expect_column_values_to_be_unique", {"column": "source_id"}),
    ("expect_column_distinct_values_to_equal_set", {"column": "target.intent", "value_set": ["card"]}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "prompt", "column_B": "target"}),
    ("expect_column_values_to_be_between", {"column": "target.n", "max_value": 5}),
    ("expect_column_sum_to_be_between", {"column": "target.n", "max_value": 5}),
    ("expect_table_columns_to_match_set", {"column_set": ["prompt"]}),
    ("expect_column_values_to_be_in_set", {"column": "prompt", "value_set": ["none"], "result_format": "COMPLETE"}),
)  # fmt: skip


def test_no_value_of_a_record_is_in_what_is_written(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    (outcome,) = check(run, dataset=REVEALING).suites
    assert not any(item.success for item in outcome.expectations), "each of these must fail to show its values"
    written = [path for path in run.layout.artefacts("validate").rglob("*") if path.is_file()]
    assert {path.name for path in written} == {"result.json", "index.html", "dataset.html"}
    for path in written:
        text = path.read_text()
        assert not re.search(r"Zacharias|Quentin|4711|471,147|partial_unexpected|prompt 1", text), path.name
    assert "during data docs rendering" not in caplog.text


def test_data_docs_begin_with_labels_quarantined_rows_and_sources_without_a_suite(run: Run) -> None:
    """All of it in counts, without a label or another value of a row."""
    labels = ["Zanzibar"] * 30 + ["Quito"] * 3 + ["Zanzibra"]
    items = [record(f"prompt {number}", label, number=number) for number, label in enumerate(labels)]
    run.put(LAST_FILTER_STAGE, [*items, record("two", "Quito", number=99, source_id="two")])
    result = run.result("clean")
    result["by_source"]["src"]["quarantined"] = {"prompt_too_short": 4_000, "empty_prompt": 5_000}
    write_json(run.layout.artefacts("clean") / "result.json", result)
    own = suite(ROWS, ("expect_column_values_to_be_null", {"column": "target"}))
    run.put_suites(Suites(by_source={"src": own}, dataset=None))
    validate.run(params({"target": "label"}), run.layout)
    docs = run.layout.artefacts("validate") / "docs"
    index, page = (" ".join((docs / f"{name}.html").read_text().split()) for name in ("index", "source-src"))
    assert "Sources without a suite: two." in index and "3 labels." in index and "1 nearly equal" in index
    groups = ("<td>1</td><td>1</td>", "<td>2 to 4</td><td>1</td>", "<td>20 to 99</td><td>1</td>")
    assert all(group in index for group in groups) and "<td>5 to 19</td>" not in index
    assert index.index("empty_prompt</td> <td>5,000") < index.index("prompt_too_short</td> <td>4,000")
    assert "hallmark data expectations RUN --as ID" in page
    assert not [word for word in ("Zanzib", "Quito") if word in index + page]


def test_data_docs_explain_and_need_no_network(run: Run) -> None:
    check(run, dataset=suite(IN_SET), src=suite(ROWS, name="source-checks"))
    docs = run.layout.artefacts("validate") / "docs"
    page = (docs / "dataset.html").read_text()
    assert "because 0" in page and "1 unexpected values found" in page and "text-danger" in page
    assert 'href="source-src.html"' in (docs / "index.html").read_text()
    for path in docs.iterdir():
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//|url\(", path.read_text()), path.name


def test_what_an_owner_writes_is_escaped(run: Run) -> None:
    check(run, dataset=suite(("expect_column_values_to_be_in_set", {"column": "kind", "value_set": ["<b>x</b>"]})))
    assert "<b>x</b>" not in (run.layout.artefacts("validate") / "docs" / "dataset.html").read_text()


def test_the_same_records_give_the_same_bytes(run: Run) -> None:
    suites = {"dataset": REVEALING, "src": suite(ROWS, IN_SET, name="source-checks")}
    check(run, **suites)
    first = tree_manifest(run.layout.artefacts("validate"))
    check(run, **suites)
    assert tree_manifest(run.layout.artefacts("validate")) == first


def test_a_question_is_asked_of_a_table_without_other_texts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations copies its table for each, and texts are most of it."""
    tables: list[tuple[str, ...]] = []

    def looking(
        suite: ExpectationSuite, where: str, asked: suite_evaluation.TableExpectations, spared: KeptCategories
    ) -> Any:
        tables.append(tuple(asked.frame.columns))
        return validated(suite, where, asked, spared)

    validated = suite_evaluation._validate
    monkeypatch.setattr(suite_evaluation, "_validate", looking)
    prompt = ("expect_column_values_to_not_be_null", {"column": "prompt"})
    equal = (PAIR, {"column_A": "prompt", "column_B": "target"})
    lengths = ("expect_column_values_to_be_between", {"column": "prompt_chars", "max_value": 100})
    result = check(run, dataset=suite(IN_SET, prompt, ROWS, equal, lengths)).suites[0]
    assert tables == [("language", "prompt_chars"), ("prompt",), ("prompt", "target")]
    assert [item.success for item in result.expectations] == [False, True, True, False, True]


def test_a_condition_may_name_a_field_whatever_it_is_called() -> None:
    asked = Expectation(type="x", why="w", kwargs={"row_condition": '`target.my own field` == "kept"'})
    assert columns_used([asked]) == {"target.my", "target.my own field"}


def test_no_fingerprint_is_made_of_records(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations would make a Python string of each text for it."""
    from great_expectations.execution_engine import pandas_execution_engine

    called: list[object] = []
    monkeypatch.setattr(pandas_execution_engine, "hash_pandas_dataframe", called.append)
    check(run, dataset=suite(IN_SET))
    assert not called


UNASKABLE = {
    "type": ("expect_pigs_to_fly", {}, r"there is no expectation 'expect_pigs_to_fly'; there are expect_column_"),
    "column": (UNIQUE, {"column": "nope"}, r"is about 'nope', which the records do not have; they have record_id, "),
    "field": (PAIR, {"column_A": "kind", "column_B": "target.nope"}, r"is about 'target.nope', which"),
    "argument": (UNIQUE, {"column": "kind", "colour": "red"}, r"expect_column_values_to_be_unique: .*colour"),
    "value": (UNIQUE, {"column": "kind", "mostly": "often"}, r"expect_column_values_to_be_unique: .*mostly"),
    "quantile": ("expect_column_quantile_values_to_be_between", {"column": "target.n"}, r"does not work here"),
    "mean": (MEAN, {"column": "prompt", "min_value": 1}, r"cannot be computed on prompt \(\w+\)"),
}


@pytest.mark.parametrize("name", UNASKABLE)
def test_an_expectation_that_cannot_be_asked_is_refused(run: Run, name: str) -> None:
    kind, kwargs, message = UNASKABLE[name]
    with pytest.raises(InputError, match=rf"suite checks \(dataset\): .*{message}") as caught:
        check(run, dataset=suite((kind, kwargs)))
    assert PLANTED not in str(caught.value) and "prompt 1" not in str(caught.value)


def test_json_fields_are_no_columns_of_label_targets(run: Run) -> None:
    with pytest.raises(InputError, match=r"'target.intent', which the records do not have"):
        check(run, dataset=suite(("expect_column_to_exist", {"column": "target.intent"})), json_target=False)


def test_a_source_with_no_record_left_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="suite checks: source gone has no record left to check; there are src, two"):
        check(run, gone=suite(ROWS))


def test_no_suites_at_all_is_a_result(run: Run) -> None:
    assert check(run).suites == []
    assert run.result("validate")["facts"]["evaluated_expectations"]["value"] == 0
