"""Confidence from predictions to facts, report and release: chosen before the test rows, then measured on them."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.core import facts
from tasks.core.errors import InputError
from tasks.core.facts import Facts
from tasks.core.files import read_json, write_json
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.payload import inference_config
from tasks.core.records import record
from tasks.core.records.set_aside import CALIBRATION_FILE
from tasks.stages.evaluate import evaluate, predict
from tests.stages.evaluate import house
from tests.stages.evaluate.browser import Page

ROWS = 300


def confidence(number: int) -> float:
    """Every third answer is unsure, and these are the only ones that can be wrong."""
    return 0.4 if number % 3 == 0 else 0.8 + number % 7 / 50


def prediction(number: int, **changes: Any) -> dict[str, Any]:
    known = {"prompt_tokens": 9, "stopped": True, "reason": "", "answer_tokens": 5}
    probability = math.log(confidence(number))
    return (
        known
        | {"record_id": house.row(number)["record_id"], "answer": said(number), "log_probability": probability}
        | changes
    )


def said(number: int) -> str:
    return house.target(number + (number % 6 == 0))


def write_predictions(layout: Layout, numbers: range, file_name: str, **changes: Any) -> None:
    rows = [prediction(number, **changes) for number in numbers]
    table = pa.Table.from_pylist(rows, schema=predict.PREDICTIONS_SCHEMA)
    record.write_table(table, layout.artefacts("predict/candidate") / file_name)


def params(**evaluation: Any) -> Params:
    made = house.params(bootstrap_samples=100, base_rows=5)
    asked = made.evaluation.model_copy(update={"required_precision": 0.95} | evaluation)
    return made.model_copy(update={"evaluation": asked})


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Read-only but for artefacts/evaluate: 300 calibration rows, 60 test rows and 10 training rows."""
    layout = Layout(tmp_path_factory.mktemp("confidence"))
    train = [house.row(number) for number in range(1000, 1310)]
    house.write_split(layout, [house.row(number) for number in range(60)], train)
    ids = [row["record_id"] for row in train[:ROWS]]
    named = pa.table([ids, list(range(ROWS))], schema=record.VALIDATION_SCHEMA)
    record.write_table(named, layout.artefacts("split") / CALIBRATION_FILE)
    house.write_answers(layout, {"base": lambda _: "", "candidate": house.mostly_right}, base_rows=5)
    write_predictions(layout, range(60), "predictions.parquet")
    write_predictions(layout, range(1000, 1000 + ROWS), CALIBRATION_FILE)
    return layout


def stated(layout: Layout) -> Facts:
    return facts.facts_from_json(read_json(layout.artefacts("evaluate") / "result.json")["facts"])


def test_what_the_threshold_promises_is_measured_and_goes_into_the_release(ready: Layout) -> None:
    review = evaluate.run(params(), ready).review
    found = stated(ready)
    assert review is not None and review.rule.rows == ROWS and 0.4 <= review.rule.threshold < 0.8
    assert (review.rule.released, review.rule.right) == (200, 200)
    assert found["review_threshold"].value == review.rule.threshold
    assert found["coverage"].value == pytest.approx(2 / 3, abs=1e-6)
    assert found["selective_precision"].value == 1 and found["selective_precision"].low is not None
    assert {"calibration_error", "brier_score", "confidence_auroc"} <= found.keys()
    assert found["confidence_auroc"].value == pytest.approx(0.9)
    write_json(
        ready.artefacts("predict/candidate") / "result.json", {"present": True, "facts": {}, "stop_token_ids": [1]}
    )
    asked = inference_config.settings_of_run(ready, params().prompts, params().evaluation)
    assert asked.review is not None and asked.review.threshold == review.rule.threshold
    assert "review" not in inference_config.settings_of_run(
        ready, params().prompts, params(required_precision=None).evaluation
    ).model_dump(mode="json"), "asking.json stays as it was"


def test_the_report_explains_it_to_people(ready: Layout) -> None:
    evaluate.run(params(), ready)
    page = Page((ready.artefacts("evaluate") / "report.html").read_text())
    assert page.open == [] and "confidence" in page.ids
    assert "66.7 % of the test rows need no review" in page.text
    assert "33.3 % go to a person" in page.text
    assert page.tags.count("svg") >= 2


def test_test_rows_do_not_move_the_threshold(ready: Layout) -> None:
    before = evaluate.run(params(), ready).review
    write_predictions(ready, range(60), "predictions.parquet", answer="wrong", log_probability=-0.001)
    after = evaluate.run(params(), ready).review
    write_predictions(ready, range(60), "predictions.parquet")
    assert before is not None and after is not None
    assert after.rule == before.rule and after.precision != before.precision


def test_without_a_required_precision_nothing_is_chosen(ready: Layout) -> None:
    evaluate.run(params(required_precision=None), ready)
    assert "calibration_error" in stated(ready) and "coverage" not in stated(ready)


def test_a_prompt_without_an_answer_goes_to_review(ready: Layout) -> None:
    write_predictions(
        ready, range(60), "predictions.parquet", reason="prompt_too_long", answer="", log_probability=None
    )
    evaluate.run(params(), ready)
    write_predictions(ready, range(60), "predictions.parquet")
    assert stated(ready)["coverage"].value == 0 and "selective_precision" not in stated(ready)


def test_calibration_rows_that_are_missing_or_of_another_split_are_refused(ready: Layout, tmp_path: Path) -> None:
    write_predictions(ready, range(1001, 1001 + ROWS), CALIBRATION_FILE)
    try:
        with pytest.raises(InputError, match=r"calibration\.parquet .*run the stage predict@candidate again"):
            evaluate.run(params(), ready)
        write_predictions(ready, range(1000, 1000 + ROWS), CALIBRATION_FILE, log_probability=None)
        with pytest.raises(InputError, match="have no confidence"):
            evaluate.run(params(), ready)
    finally:
        write_predictions(ready, range(1000, 1000 + ROWS), CALIBRATION_FILE)
    with pytest.raises(InputError, match=r"names no conversation; raise data\.calibration_share"):
        evaluate.run(params(), house.evaluated(tmp_path))
    with pytest.raises(ValueError, match=r"set data\.calibration_share"):
        house.params(required_precision=0.95)
    with pytest.raises(ValueError, match="engine vllm does not give"):
        house.params(required_precision=0.95, engine="vllm", device="gpu")
