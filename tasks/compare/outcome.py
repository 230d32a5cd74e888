"""Outcome of one base model: a verdict on each of its answers, and measurements. It contains no prompts or answers."""

from collections.abc import Mapping
from typing import Literal

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.files import read_stage_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.params import Params
from tasks.core.records.answer_label import extract_label
from tasks.core.records.record import read_table
from tasks.stages.evaluate.answers import create_judge
from tasks.stages.evaluate.judged_rows import NO_VALUE_SLICE
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.train.preflight import estimate, model_shape, workload
from tasks.supervise import sandbox

ModelState = Literal["zero_shot", "fine_tuned"]
MODEL_NAMES_BY_STATE: dict[ModelState, ModelName] = {"zero_shot": "base", "fine_tuned": "candidate"}
"""Name under which stages store a model's answers, by state."""


class AnswerVerdict(FrozenModel):
    right: bool
    well_formed: bool
    label: str


class AnsweredRow(FrozenModel):
    record_id: str
    language: str
    label: str
    """Label of the expected answer."""
    said: dict[ModelState, AnswerVerdict]


class AnsweringMeasurements(FrozenModel):
    """Measurements taken while a base model answered on this machine."""

    cut_off: int
    """Number of answers that were cut off at `evaluation.max_new_tokens`."""
    too_long: int
    """Number of prompts that leave no room for an answer in the model's context."""
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    rows_per_second: float | None = None
    cost_per_1000_requests: float | None = None
    """Cost of 1,000 requests in USD, computed from `evaluation.price_per_hour`."""
    peak_memory_gb: float | None = None
    """Peak memory in GB of the process in which the model generates answers."""


class TrainingMeasurements(FrozenModel):
    rows: int
    steps: int
    final_loss: float
    seconds: float
    tokens_per_second: float
    peak_memory_gb: float
    """Peak memory in GB of the worker that used the most."""


class ModelOutcome(FrozenModel):
    parameters: int
    """Number of weights. Tied weights are counted once."""
    context: int | None
    """Context length in tokens; null if the model states no limit."""
    longest_prompt: int
    """Length of the longest prompt, in tokens of the model's own tokenizer."""
    training_gb: float
    """Estimated memory that a training worker needs, in GB."""
    rows: list[AnsweredRow]
    taken: dict[ModelState, AnsweringMeasurements]
    trained: TrainingMeasurements | None
    """Measurements of fine-tuning; null if the model was not fine-tuned."""
    machine: str


def read_outcome(layout: Layout, params: Params) -> ModelOutcome:
    evaluated = {state: which for state, which in MODEL_NAMES_BY_STATE.items() if _has_answers(layout, which)}
    model = model_shape.read_model_shape(layout.artefacts("base_model") / "model")
    tokens = layout.artefacts("tokenise")
    work = workload.count_workload(tokens, params.training, model.context_length) if tokens.exists() else None
    needs = estimate.memory_needed(params.training, model, work)
    predicted = read_table(layout.artefacts("predict/base") / "predictions.parquet")
    return ModelOutcome(
        parameters=read_stage_json(layout.artefacts("base_model") / "result.json")["parameters"],
        context=model.context_length,
        longest_prompt=max(predicted["prompt_tokens"].to_pylist()),
        training_gb=round(needs.device / 1e9, 3),
        rows=_answered_rows(layout, evaluated, params.evaluation),
        taken={state: _read_answering_measurements(layout, which) for state, which in evaluated.items()},
        trained=_read_training_measurements(layout) if "fine_tuned" in evaluated else None,
        machine=sandbox.describe_machine(),
    )


def _has_answers(layout: Layout, model_name: ModelName) -> bool:
    return (layout.artefacts(f"predict/{model_name}") / "result.json").is_file()


def _answered_rows(layout: Layout, states: Mapping[ModelState, ModelName], settings: Evaluation) -> list[AnsweredRow]:
    sides = {side: read_table(layout.artefacts("split") / f"{side}.parquet").to_pylist() for side in ("train", "test")}
    expected = {  # plain texts have no target
        side: {row["record_id"]: target for row in rows if (target := row["messages"][-1]["content"])}
        for side, rows in sides.items()
    }
    judge = create_judge(settings, (expected["train"] or expected["test"]).values())
    said = {state: _read_answers(layout, which) for state, which in states.items()}

    def answer(state: ModelState, record_id: str) -> AnswerVerdict:
        judged = judge.judge(said[state][record_id], expected["test"][record_id])
        return AnswerVerdict(right=judged.right, well_formed=judged.well_formed, label=judged.label)

    return [
        AnsweredRow(
            record_id=(name := row["record_id"]),
            language=row["language"] or NO_VALUE_SLICE,
            label=extract_label(expected["test"][name], settings),
            said={state: answer(state, name) for state in states},
        )
        for row in sides["test"]
    ]


def _read_answers(layout: Layout, model_name: ModelName) -> dict[str, str]:
    table = read_table(layout.artefacts(f"predict/{model_name}") / "predictions.parquet")
    return dict(zip(table["record_id"].to_pylist(), table["answer"].to_pylist(), strict=True))


def _read_answering_measurements(layout: Layout, model_name: ModelName) -> AnsweringMeasurements:
    said = facts.read_facts(layout.artefacts(f"predict/{model_name}") / "result.json")
    measured = facts.read_facts(layout.measurements(f"predict/{model_name}") / "facts.json")
    return AnsweringMeasurements.model_validate(
        {
            name: (said | measured)[name].value
            for name in AnsweringMeasurements.model_fields
            if name in {**said, **measured}
        }
    )


def _read_training_measurements(layout: Layout) -> TrainingMeasurements:
    said = facts.read_facts(layout.artefacts("train") / "result.json")
    measured = facts.read_facts(layout.measurements("train") / "facts.json")
    return TrainingMeasurements.model_validate(
        {name: (said | measured)[name].value for name in TrainingMeasurements.model_fields}
    )
