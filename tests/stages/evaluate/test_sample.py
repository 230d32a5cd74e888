"""The base model answers a fixed sample: which rows, and that every figure says how many it is of."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.core.records import record
from tasks.stages.evaluate import evaluate, predict, uncertainty
from tasks.stages.evaluate.report import rendering
from tasks.stages.evaluate.sample import rows_to_answer
from tests.stages.evaluate import house

ROWS = [house.row(number) for number in range(300)]


def sample(rows: list[dict], **evaluation: object) -> list[str]:
    return [row["record_id"] for row in rows_to_answer("base", rows, house.params(**evaluation).evaluation)]


def test_the_others_answer_every_row_and_so_does_the_base_model_where_they_are_few() -> None:
    for which in ("champion", "candidate"):
        assert rows_to_answer(which, ROWS, house.params(base_rows=10).evaluation) == ROWS
    assert len(sample(ROWS, base_rows=None)) == len(sample(ROWS)) == len(sample(ROWS, base_rows=300)) == 300


def test_the_sample_is_the_same_whatever_order_the_rows_come_in_and_another_with_another_seed() -> None:
    drawn = sample(ROWS, base_rows=50)
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    assert len(set(drawn)) == 50 and sorted(drawn) == sorted(sample(shuffled, base_rows=50))
    assert drawn == sorted(drawn), "in the order of the rows"
    assert set(drawn) != set(sample(ROWS, base_rows=50, seed=18))


@pytest.mark.parametrize("name", ["source_id", "kind", "language", "department"])
def test_every_stratum_is_there_in_proportion(name: str) -> None:
    drawn = set(sample(ROWS, base_rows=60))
    every, there = Counter(row[name] for row in ROWS), Counter(row[name] for row in ROWS if row["record_id"] in drawn)
    for value, rows in every.items():
        assert abs(there[value] - rows / 5) <= 6, value


def test_targets_are_spread_too() -> None:
    drawn = set(sample(ROWS, base_rows=60))
    assert len({row["messages"][-1]["content"] for row in ROWS if row["record_id"] in drawn}) == 6


def test_predict_asks_the_base_model_its_sample_alone(layout: Layout) -> None:
    params = house.params(base_rows=5)
    predict.run(params, layout, "base")
    rows = record.read_table(layout.artefacts("predict/base") / "predictions.parquet").to_pylist()
    test = record.read_table(layout.artefacts("split") / "test.parquet").to_pylist()
    assert [row["record_id"] for row in rows] == [
        row["record_id"] for row in rows_to_answer("base", test, params.evaluation)
    ]
    assert read_json(layout.artefacts("predict/base") / "result.json")["facts"]["rows"]["value"] == 5


@pytest.fixture
def sampled(tmp_path: Path) -> Layout:
    """300 rows of which the base model answered 40, a tenth of them right."""
    layout = house.evaluated(tmp_path, rows=300)
    tenth = {"base": lambda row: house.right(row) if int(row["record_id"], 16) % 10 == 1 else "hm"}
    answers = {**tenth, "champion": house.right, "candidate": house.mostly_right}
    house.write_answers(layout, answers, base_rows=40)
    return layout


def test_figures_of_the_base_model_are_of_its_sample_and_paired_on_it(sampled: Layout) -> None:
    params = house.params(base_rows=40)
    found = evaluate.run(params, sampled).overall
    drawn = {row["record_id"] for row in rows_to_answer("base", ROWS, params.evaluation)}
    right = [int(name, 16) % 5 != 0 for name in sorted(drawn)]
    base = [int(name, 16) % 10 == 1 for name in sorted(drawn)]
    assert found.answered == {"base": 40, "champion": 300, "candidate": 300}
    assert found.scores["base"]["exact_match"] == uncertainty.wilson_interval(sum(base), 40, 0.95)
    assert found.scores["candidate"]["exact_match"] == uncertainty.wilson_interval(240, 300, 0.95)
    compared = found.comparisons["base"]
    assert compared.gain == uncertainty.paired_gain(uncertainty.count_pairs(right, base), 0.95)
    assert (compared.rows, found.comparisons["champion"].rows) == (40, 300)


def test_who_reads_a_comparison_is_told_of_how_many_rows_it_is(sampled: Layout) -> None:
    params = house.params(base_rows=40)
    evaluate.run(params, sampled)
    stated = read_json(sampled.artefacts("evaluate") / "result.json")["facts"]
    assert "on 40 rows" in stated["gain_over_base"]["note"] and "of 40 rows" in stated["mcnemar_p_base"]["note"]
    assert "on 300 rows" in stated["gain_over_champion"]["note"]
    page = rendering.write_report(sampled, params.use_case, params.evaluation).read_text()
    assert "On a fixed sample of 40 of the 300 rows." in page
    assert "answered a sample of 40," in page and "Base model on 40 of 300 rows" in page


def test_a_slice_without_a_row_of_the_sample_has_no_figures_of_the_base_model(sampled: Layout) -> None:
    params = house.params(base_rows=1)
    answers = {"base": house.right, "champion": house.right, "candidate": house.mostly_right}
    house.write_answers(sampled, answers, base_rows=1)
    found = evaluate.run(params, sampled)
    without = [group for group in found.slices if "base" not in group.scores]
    assert without and all("base" not in group.comparisons and "base" not in group.answered for group in without)
    assert sum(group.answered.get("base", 0) for group in found.slices if group.by == "kind") == 1
    assert "not asked" in rendering.write_report(sampled, params.use_case, params.evaluation).read_text()


def test_answers_to_another_sample_are_refused(sampled: Layout) -> None:
    with pytest.raises(InputError, match="run the stage predict@base again"):
        evaluate.run(house.params(base_rows=41), sampled)
