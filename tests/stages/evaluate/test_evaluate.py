"""The stage: what it writes, what it states, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest

from tasks.core import facts
from tasks.core.errors import InputError
from tasks.core.facts import Facts
from tasks.core.files import read_json, tree_digest
from tasks.core.layout import Layout
from tasks.core.records import record
from tasks.stages.evaluate import evaluate
from tasks.stages.evaluate.metrics import table
from tasks.stages.evaluate.metrics_schema import Metrics
from tests.stages.evaluate import house


def stated(layout: Layout) -> Facts:
    return facts.facts_from_json(read_json(layout.artefacts("evaluate") / "result.json")["facts"])


def test_facts_without_a_champion(answered: Layout) -> None:
    evaluate.run(house.params(), answered)
    found = stated(answered)
    metrics = {metric.name for metric in table.METRICS}
    compared = {"changed_answers_base", "gain_over_base", "mcnemar_p_base", "smallest_detectable_base"}
    assert set(found) == {*metrics, *compared, "test_rows"}
    assert found["test_rows"].value == 30
    assert (found["exact_match"].value, found["gain_over_base"].value) == (0.8, 0.8)
    assert found["format_adherence"].value == 1
    for name in ("exact_match", "macro_f1", "format_adherence", "gain_over_base"):
        low, high = found[name].low, found[name].high
        assert low is not None and high is not None and low <= found[name].value <= high
    assert found["mcnemar_p_base"].value == pytest.approx(2 / 2**24, abs=1e-9)


def test_facts_with_a_champion(answered: Layout) -> None:
    answers = {"base": lambda _: "", "champion": house.right, "candidate": house.mostly_right}
    house.write_answers(answered, answers)
    found = evaluate.run(house.params(), answered)
    assert stated(answered)["gain_over_champion"].value == -0.2
    assert stated(answered)["mcnemar_p_champion"].value == pytest.approx(2 / 2**6)
    assert found.overall.comparisons["champion"].verdict == "worse"


def test_a_base_model_passed_off_as_fine_tuned_changes_no_answer(answered: Layout) -> None:
    house.write_answers(answered, {"base": house.mostly_right, "candidate": house.mostly_right})
    evaluate.run(house.params(), answered)
    assert stated(answered)["changed_answers_base"].value == 0
    house.write_answers(answered, {"base": house.right, "candidate": house.mostly_right})
    evaluate.run(house.params(), answered)
    assert stated(answered)["changed_answers_base"].value == 0.2


def test_metrics_read_back_as_they_were_computed(answered: Layout) -> None:
    found = evaluate.run(house.params(), answered)
    assert Metrics.model_validate(read_json(answered.artefacts("evaluate") / "metrics.json")) == found
    assert found.confusions and found.labels
    none = next(group for group in found.slices if group.by == "department" and group.value == "(none)")
    assert none.rows == 6


def test_examples_tell_right_from_wrong_by_model(answered: Layout) -> None:
    evaluate.run(house.params(), answered)
    rows = record.read_table(answered.artefacts("evaluate") / "examples.parquet").to_pylist()
    assert [row["record_id"] for row in rows] == [house.row(number)["record_id"] for number in range(30)]
    assert [row["candidate_right"] for row in rows] == [number % 5 != 0 for number in range(30)]
    assert {row["base_right"] for row in rows} == {False}
    assert {row["champion_right"] for row in rows} == {None}
    assert rows[1]["candidate_label"] == rows[1]["expected_label"] == "loan_rate"
    assert rows[0]["candidate_label"] != rows[0]["expected_label"] == "card_lost"


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    layout = house.evaluated(tmp_path / "one")
    evaluate.run(house.params(), layout)
    other = Layout(tmp_path / "another" / "place")
    shutil.copytree(layout.root, other.root)
    shutil.rmtree(other.artefacts("evaluate"))
    evaluate.run(house.params(), other)
    assert tree_digest(other.artefacts("evaluate")) == tree_digest(layout.artefacts("evaluate"))


def test_measured_figures_change_nothing(answered: Layout) -> None:
    evaluate.run(house.params(), answered)
    before = tree_digest(answered.artefacts("evaluate"))
    measured = {"latency_p95_ms": facts.Fact(value=123, unit="ms")}
    house.write_answers(answered, {"base": lambda _: "I am sorry", "candidate": house.mostly_right}, measured)
    evaluate.run(house.params(), answered)
    assert tree_digest(answered.artefacts("evaluate")) == before


def test_a_label_seen_only_in_the_test_set_counts_as_a_miss(tmp_path: Path) -> None:
    layout = house.evaluated(tmp_path, rows=6)
    new = house.saying(9, "hm", '{"intent": "new", "queue": "q0"}')
    house.write_split(layout, [*map(house.row, range(1, 4)), new])
    house.write_answers(layout, {"base": house.mostly_right, "candidate": house.mostly_right})
    found = evaluate.run(house.params(), layout)
    assert [(it.label, it.recall) for it in found.labels if it.label == "new"] == [("new", 0.0)]
    # Three labels right but for one answer too many of the first: (2/3 + 1 + 1 + 0) / 4
    assert found.overall.scores["candidate"]["macro_f1"].value == pytest.approx((2 / 3 + 1 + 1 + 0) / 4, abs=1e-6)


def test_predictions_of_other_rows_are_refused(answered: Layout) -> None:
    house.write_split(answered, [house.row(number) for number in range(1, 31)])
    with pytest.raises(InputError, match="run the stage predict@base again"):
        evaluate.run(house.params(), answered)
    assert not answered.artefacts("evaluate").exists()


def test_targets_that_are_no_json_are_refused(answered: Layout) -> None:
    house.write_split(answered, [*map(house.row, range(30))], [house.saying(77, "hm", "card_lost")])
    with pytest.raises(InputError, match=f"of record {house.row(77)['record_id']} cannot be read") as error:
        evaluate.run(house.params(), answered)
    assert "card_lost" not in str(error.value)


def test_a_split_without_test_rows_is_refused(tmp_path: Path) -> None:
    layout = house.evaluated(tmp_path, rows=1)
    house.write_split(layout, [])
    house.write_answers(layout, {"base": house.right, "candidate": house.right})
    with pytest.raises(InputError, match="has no conversation"):
        evaluate.run(house.params(), layout)


def test_labels_instead_of_json(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    test, train = ([house.saying(n, f"m {n}", f"label{n % 2}") for n in side] for side in (range(8), (100, 101)))
    house.write_split(layout, test, train)
    house.write_answers(layout, {"base": lambda _: "label", "candidate": lambda row: f" {house.right(row)}\n"})
    found = evaluate.run(house.params(target="label", label_field=None), layout)
    assert found.overall.scores["candidate"]["exact_match"].value == 1
    assert found.overall.scores["base"]["format_adherence"].value == 0
    assert json.loads((layout.artefacts("evaluate") / "metrics.json").read_text())["label_field"] is None
