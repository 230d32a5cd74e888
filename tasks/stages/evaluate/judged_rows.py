"""Held-out rows with the judged answers of all models, for computing metrics and for quoting in the report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tasks.core.errors import InputError
from tasks.core.files import read_stage_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.records import record, set_aside, texts
from tasks.core.records.answer_label import extract_label, require_parsable_target
from tasks.core.records.set_aside import CALIBRATION_FILE
from tasks.stages.evaluate.answers import AnswerJudge, create_judge
from tasks.stages.evaluate.model_names import MODELS, ModelName
from tasks.stages.evaluate.sample import rows_to_answer

SLICE_FIELDS = ("department", "language", "kind", "source")
CONFIDENCE_DECIMALS = 6
NO_VALUE_SLICE = "(none)"
"""Name of a field's slice that contains the rows without a value in this field."""


@dataclass(frozen=True)
class JudgedAnswer:
    text: str
    right: bool
    well_formed: bool
    label: str
    reason: str
    """Reason why there is no answer; empty if there is one."""
    confidence: float | None = None
    """Probability that the model gave to the answer as a whole; 0 if there is no answer, and None if the engine does
    not say."""


@dataclass(frozen=True)
class JudgedRow:
    record_id: str
    slices: Mapping[str, str]
    """Value of the row in each field of SLICE_FIELDS."""
    prompt: str
    expected: str
    label: str
    """Expected label."""
    said: Mapping[ModelName, JudgedAnswer]
    """Answers by model. The base model's answer is missing if the row is not in its sample. The champion's answer is
    missing if there is no champion."""


def collect_judged_rows(layout: Layout, settings: Evaluation) -> list[JudgedRow]:
    """Join the test rows with the predictions of every model, and judge each answer.

    Raises:
        InputError: No test row is a conversation, a target cannot be parsed, or the predictions are for other rows.
    """
    split = layout.artefacts("split")
    train = record.read_table(split / "train.parquet").select(["record_id", "messages"]).to_pylist()
    rows = [row for row in record.read_table(split / "test.parquet").to_pylist() if not texts.is_plain_text(row)]
    if not rows:
        raise InputError(f"{split / 'test.parquet'} has no conversation; raise data.test_share or data.test_rows")
    trained = [row for row in train if not texts.is_plain_text(row)]
    # If all training rows are plain texts, the targets of the test rows define what is well-formed.
    judge = create_judge(settings, [_target(row, settings) for row in trained or rows])
    answers = {
        which: _read_predictions(layout, which, rows_to_answer(which, rows, settings))
        for which in MODELS
        if _model_exists(layout, which)
    }
    return [
        _judged_row(
            row,
            judge,
            settings,
            {which: by_id[row["record_id"]] for which, by_id in answers.items() if row["record_id"] in by_id},
        )
        for row in rows
    ]


def collect_calibration_rows(layout: Layout, settings: Evaluation) -> list[JudgedRow]:
    """Join the calibration rows with the candidate's predictions, and judge each answer. No test row is read.

    Raises:
        InputError: There are no calibration rows, or the predictions are missing or for other rows.
    """
    split = layout.artefacts("split")
    rows = set_aside.read_calibration_rows(split)
    if not rows:
        raise InputError(f"{split / CALIBRATION_FILE} names no conversation; raise data.calibration_share")
    answers = _read_predictions(layout, "candidate", rows, CALIBRATION_FILE)
    judge = create_judge(settings, [_target(row, settings) for row in rows])
    return [_judged_row(row, judge, settings, {"candidate": answers[row["record_id"]]}) for row in rows]


def _target(row: Mapping[str, Any], settings: Evaluation) -> str:
    target: str = row["messages"][-1]["content"]
    try:
        require_parsable_target(target, settings)
    except ValueError as error:  # `clean` removes such records, so these were cleaned for another format of answers
        raise InputError(
            f"with evaluation.target {settings.target} the target of record {row['record_id']} cannot be read "
            f"({error}); run the stages of data again with these parameters"
        ) from None
    return target


def _model_exists(layout: Layout, which: ModelName) -> bool:
    return bool(read_stage_json(layout.artefacts(f"predict/{which}") / "result.json")["present"])


def _read_predictions(
    layout: Layout, which: ModelName, rows: Sequence[Mapping[str, Any]], file_name: str = "predictions.parquet"
) -> dict[str, Mapping[str, Any]]:
    path = layout.artefacts(f"predict/{which}") / file_name
    predictions = record.read_table(path).to_pylist() if path.exists() else []
    if [row["record_id"] for row in predictions] != [row["record_id"] for row in rows]:
        raise InputError(
            f"{path} does not hold the rows of the split that are its model's; run the stage predict@{which} again"
        )
    return {row["record_id"]: row for row in predictions}


def _judged_row(
    row: Mapping[str, Any],
    judge: AnswerJudge,
    settings: Evaluation,
    answers: Mapping[ModelName, Mapping[str, Any]],
) -> JudgedRow:
    turns, expected = row["messages"][:-1], _target(row, settings)
    return JudgedRow(
        record_id=row["record_id"],
        slices={name: row["source_id" if name == "source" else name] or NO_VALUE_SLICE for name in SLICE_FIELDS},
        prompt=shown_prompt(turns),
        expected=expected,
        label=extract_label(expected, settings),
        said={which: _judged_answer(answer, judge, expected) for which, answer in answers.items()},
    )


def shown_prompt(turns: Sequence[Mapping[str, str]]) -> str:
    """Return the turns before an answer as people see them, without a system turn or a template."""
    return turns[0]["content"] if len(turns) == 1 else "\n".join(f"{t['role']}: {t['content']}" for t in turns)


def _judged_answer(answer: Mapping[str, Any], judge: AnswerJudge, expected: str) -> JudgedAnswer:
    judged = judge.judge(answer["answer"], expected)
    # Answers of an earlier version have no log-probability.
    known = _confidence(answer["reason"], answer.get("log_probability"))
    return JudgedAnswer(answer["answer"], judged.right, judged.well_formed, judged.label, answer["reason"], known)


def _confidence(reason: str, log_probability: float | None) -> float | None:
    if reason:
        return 0.0
    return None if log_probability is None else answer_confidence(log_probability)


def answer_confidence(log_probability: float) -> float:
    """Return the probability of an answer as a whole, from the sum of its tokens' log-probabilities."""
    return round(min(1.0, math.exp(log_probability)), CONFIDENCE_DECIMALS)


def to_table(examples: Sequence[JudgedRow]) -> pa.Table:
    """Return the judged rows as the table that is written to examples.parquet.

    Each model has the columns answer, right, well_formed, label and confidence. They are null for rows that the model
    did not answer.
    """
    kinds = {
        "answer": pa.string(),
        "right": pa.bool_(),
        "well_formed": pa.bool_(),
        "label": pa.string(),
        "confidence": pa.float64(),
    }
    names = ["record_id", *SLICE_FIELDS, "expected", "expected_label"]
    fields = [(name, pa.string()) for name in names]
    fields += [(f"{which}_{name}", kind) for which in MODELS for name, kind in kinds.items()]
    return pa.Table.from_pylist([_table_row(example) for example in examples], schema=pa.schema(fields))


def _table_row(example: JudgedRow) -> dict[str, Any]:
    flat: dict[str, Any] = {"record_id": example.record_id, **example.slices}
    flat |= {"expected": example.expected, "expected_label": example.label}
    for which, judged in example.said.items():
        flat |= {
            f"{which}_answer": judged.text,
            f"{which}_right": judged.right,
            f"{which}_well_formed": judged.well_formed,
            f"{which}_label": judged.label,
            f"{which}_confidence": judged.confidence,
        }
    return flat
