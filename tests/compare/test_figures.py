"""Figures, picture and page of a comparison, from outcomes whose answers are known."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.compare import chart, html_page, metrics, model_terms
from tasks.compare import outcome as compare_outcome
from tasks.compare.base_models import ListedBaseModel
from tasks.compare.comparison import ComparisonRequest, ComparisonResults, make_document
from tasks.compare.document import ComparisonDocument
from tasks.compare.outcome import AnsweredRow, AnsweringMeasurements, AnswerVerdict, ModelOutcome
from tasks.compare.rows import ChosenRows
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.records import record
from tasks.policy.policy import BaseModels
from tasks.stages.evaluate.uncertainty import PairedCounts, mcnemar_p, paired_gain, wilson_interval
from tests.stages.evaluate import house
from tests.stages.evaluate.browser import Page

SETTINGS = Evaluation(label_field="intent", bootstrap_samples=200)
ROWS = 40
CHOSEN = ChosenRows("r1", False, Path("table"), np.arange(ROWS), np.arange(ROWS, 100), ("eu",))


def outcome(right: range, cost: float, before: range = range(0)) -> ModelOutcome:
    """Right on those rows after its fine-tune, and on those before; every eighth row is German."""

    def answer(number: int, rows: range) -> AnswerVerdict:
        label = f"i{number % 4}" if number in rows else ""
        return AnswerVerdict(right=number in rows, well_formed=number in rows or number % 2 == 0, label=label)

    rows = [
        AnsweredRow(
            record_id=f"{number:032x}",
            language="de" if number % 8 == 0 else "en",
            label=f"i{number % 4}",
            said={"zero_shot": answer(number, before), "fine_tuned": answer(number, right)},
        )
        for number in range(ROWS)
    ]
    taken = AnsweringMeasurements(cut_off=0, too_long=0, latency_p50_ms=1, latency_p95_ms=2, rows_per_second=1,
                             peak_memory_gb=1,
                  cost_per_1000_requests=cost)  # fmt: skip
    return ModelOutcome(parameters=1000, context=512, longest_prompt=9, training_gb=1.0, rows=rows,
                   taken={"zero_shot": taken, "fine_tuned": taken}, trained=None, machine="m")  # fmt: skip


def compared(
    outcomes: dict[str, ModelOutcome], licences: dict[str, str] | None = None, **more: str
) -> ComparisonDocument:
    policy = BaseModels(licences=["MIT"])
    candidates = [
        ListedBaseModel(name=name, folder=name, sha256="a" * 64, licence=(licences or {}).get(name, "MIT"), **more)
        for name in outcomes
    ]
    found = ComparisonResults(outcomes=outcomes)
    found.terms = {each.name: model_terms.judge_terms(each, policy, ["eu"]) for each in candidates}
    return make_document(ComparisonRequest(candidates, house.params(**SETTINGS.model_dump())), CHOSEN, found)


def test_plain_texts_among_the_rows_that_are_trained_have_no_answer_to_judge(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    empty = {field.name: None for field in record.RECORD_SCHEMA}
    says = {"train": ["", '{"intent": "a"}'], "test": ['{"intent": "a"}']}
    for side, targets in says.items():
        rows = [
            {**empty, "record_id": f"{side}{at}", "messages": [{"role": "assistant", "content": target}]}
            for at, target in enumerate(targets)
        ]
        table = pa.Table.from_pylist(rows, schema=record.RECORD_SCHEMA)
        record.write_table(table, layout.artefacts("split") / f"{side}.parquet")
    answers = pa.table({"record_id": ["test0"], "answer": ['{"intent": "a"}']})
    record.write_table(answers, layout.artefacts("predict/base") / "predictions.parquet")
    settings = SETTINGS.model_copy(update={"target": "json"})
    (row,) = compare_outcome._answered_rows(layout, {"zero_shot": "base"}, settings)
    assert row.said["zero_shot"].right and row.label == "a"


def test_scores_are_those_of_an_evaluation_over_all_rows_and_by_language() -> None:
    it = metrics.score_state(outcome(range(30), 1), "fine_tuned", SETTINGS)
    assert it.scores["exact_match"] == wilson_interval(30, ROWS, 0.95)
    assert it.scores["format_adherence"] == wilson_interval(35, ROWS, 0.95)
    assert {name: part.rows for name, part in it.languages.items()} == {"de": 5, "en": 35}
    assert it.languages["de"].scores["exact_match"] == wilson_interval(4, 5, 0.95)
    assert 0 < it.scores["macro_f1"].low < it.scores["macro_f1"].value < 1


def test_what_a_fine_tune_taught_is_paired() -> None:
    it = metrics.compare_with_zero_shot(outcome(range(30), 1, before=range(28, 34)), SETTINGS)
    assert (it.gained, it.lost) == (28, 4) and it.gain == paired_gain(PairedCounts(2, 28, 4, 6), 0.95)
    assert it.verdict == "better"


def test_others_are_compared_with_the_best_on_the_same_rows_and_corrected_for_their_number() -> None:
    told = compared({"far": outcome(range(10), 1), "best": outcome(range(30), 3), "near": outcome(range(1, 30), 1)})
    assert told.best == "best"
    far, best, near = (each.standings["fine_tuned"].against_best for each in told.bases)
    assert best is None and far is not None and near is not None
    assert (far.gained, far.lost, far.verdict) == (0, 20, "worse") and far.gain.value == -0.5
    assert (near.gained, near.lost, near.verdict) == (0, 1, "undecided") and near.gains["macro_f1"].value < 0
    assert (
        far.p == mcnemar_p(PairedCounts(10, 0, 20, 10)) and far.p_holm == pytest.approx(2 * far.p) and near.p_holm == 1
    )
    said = html_page.summarise_comparison(told)
    assert "Shown to be worse: far." in said and "No difference is shown from near" in said


def test_where_no_answer_is_right_none_is_said_to_be_best() -> None:
    said = html_page.summarise_comparison(compared({"one": outcome(range(0), 1), "two": outcome(range(0), 2)}))
    assert said.startswith("No base model gave a right answer fine-tuned: 0.0 % [0.0, ")


def test_more_steps_than_a_training_may_have_are_refused_before_one_begins() -> None:
    made = ListedBaseModel(name="a", folder="a", sha256="a" * 64, licence="MIT")
    wish = ComparisonRequest([made], house.params(**SETTINGS.model_dump()), fine_tuning_steps=10**9)
    with pytest.raises(InputError, match="--steps 1000000000: expected at most 10,000 times through the 60 rows"):
        wish.params_for(made, training_rows=60)


def test_a_short_fine_tune_has_its_own_length_and_no_validation_rows() -> None:
    params = house.params(**SETTINGS.model_dump())
    longer = {"epochs": 9, "global_batch_size": 8, "patience": 2, "validate_steps": 5}
    params = params.model_copy(update={"training": params.training.model_copy(update=longer)})
    made = ListedBaseModel(name="a", folder="a", sha256="a" * 64, licence="MIT")
    once, three = (
        ComparisonRequest([made], params, fine_tuning_steps=steps).params_for(made, training_rows=60)
        for steps in (None, 3)
    )
    assert (once.training.epochs, three.training.epochs * 8) == (1, 3), "60 rows are 8 steps"
    assert (once.training.patience, once.training.validate_steps) == (None, None)
    assert (once.base_model, once.evaluation.base_rows) == (made.base_model_params, None)


def test_of_equals_the_cheaper_is_the_best() -> None:
    assert compared({"dear": outcome(range(9), 3), "cheap": outcome(range(9), 1)}).best == "cheap"


def test_what_policy_does_not_allow_is_never_the_best() -> None:
    told = compared({"closed": outcome(range(40), 1), "open": outcome(range(5), 1)}, {"closed": "Proprietary"})
    assert told.best == "open" and [each.allowed for each in told.bases] == [False, True]
    shown = Page(html_page.render_page(told))
    assert "not allowed Proprietary is not among the licences of policy: MIT" in shown.text
    assert ("class", "mark out") in shown.attributes
    none = compared({"a": outcome(range(9), 1), "b": outcome(range(9), 1)}, {"a": "X", "b": "Y"})
    assert none.best is None and html_page.summarise_comparison(none) == "No base model that policy allows was asked."
    assert "No base model that policy allows was asked." in Page(html_page.render_page(none)).text


@pytest.mark.parametrize(("costs", "marks"), [((0.011, 0.033), ["0", "0.01", "0.02", "0.03", "0.04"]),
                                             ((0.003, 0.04), ["0.002", "0.005", "0.01", "0.02", "0.05"]),
                                             ((0.0003, 2), ["0.0001", "0.001", "0.01", "0.1", "1", "10"])])  # fmt: skip
def test_costs_stand_along_an_axis_that_holds_them(costs: tuple[float, float], marks: list[str]) -> None:
    told = compared({str(number): outcome(range(20), cost) for number, cost in enumerate(costs)})
    drawn = chart.compute_layout(told)
    assert drawn and [tick.text for tick in drawn.x] == marks
    places = [point.x for point in drawn.points if point.state == "fine_tuned"]
    assert chart.LEFT_MARGIN <= places[0] < places[1] <= chart.CHART_WIDTH - chart.RIGHT_MARGIN
    near = max(range(len(marks)), key=lambda each: -abs(float(marks[each]) - costs[1]))
    assert abs(drawn.x[near].place - places[1]) < abs(drawn.x[near].place - places[0])


@pytest.mark.parametrize("right", [20, 0])
def test_a_point_stands_inside_its_interval_and_names_cover_neither_each_other_nor_the_axis(right: int) -> None:
    drawn = chart.compute_layout(compared({name: outcome(range(right), 1) for name in ("a", "b", "c")}))
    assert drawn and len(drawn.points) == 6 and len(drawn.ways) == 3
    for point in drawn.points:
        assert chart.TOP_MARGIN <= point.high <= point.y <= point.low <= chart.CHART_HEIGHT - chart.BOTTOM_MARGIN
    heights = sorted(label.y for label in drawn.labels)
    assert all(after - before >= chart.LABEL_SPACING for before, after in pairwise(heights))
    assert heights[-1] < chart.CHART_HEIGHT - chart.BOTTOM_MARGIN


def test_the_axis_of_shares_ends_at_the_quarter_above_the_highest() -> None:
    told = compared({"a": outcome(range(4), 1), "b": outcome(range(5), 1)})
    drawn = chart.compute_layout(told)
    highest = max(each.quality(state).high for each in told.bases for state in each.standings)
    assert drawn and float(drawn.y[-1].text) == math.ceil(highest * 4) * 25 == 50
    assert drawn.y[0].text == "0" and drawn.y[0].place > drawn.y[-1].place


def test_what_others_declare_is_shown_as_text() -> None:
    told = compared({"a": outcome(range(9), 1), "b": outcome(range(9), 1)}, usage_policy="<script>alert(1)</script>")
    shown = Page(html_page.render_page(told))
    assert not shown.open and "script" not in shown.tags and "<script>alert(1)</script>" in shown.text


def test_a_base_model_that_was_asked_nothing_leaves_the_page_whole() -> None:
    told = compared({"a": outcome(range(9), 1), "b": outcome(range(9), 1)})
    bare = told.bases[1].model_copy(update={"standings": {}, "taken": {}, "left_out": "it is away"})
    shown = Page(html_page.render_page(told.model_copy(update={"bases": [told.bases[0], bare]})))
    assert not shown.open and "b was not asked to the end: it is away" in shown.text
