"""Outcome of one base model: verdicts on its answers, row by row, and measurements. It is stored without texts."""

from collections.abc import Mapping
from typing import Literal

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.files import read_stage_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.params import Params
from tasks.core.records.answer_label import label_of
from tasks.core.records.record import read_table
from tasks.stages.evaluate.answers import judge_of
from tasks.stages.evaluate.judged_rows import NO_VALUE
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.train.preflight import estimate, model_shape, workload
from tasks.supervise import sandbox

State = Literal["zero_shot", "fine_tuned"]
CONTENDERS: dict[State, ModelName] = {"zero_shot": "base", "fine_tuned": "candidate"}
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
    said: dict[State, AnswerVerdict]


class AnsweringFigures(FrozenModel):
    """Measurements while a base model answered on this machine."""

    cut_off: int
    """Number of answers that were cut off at max_new_tokens."""
    too_long: int
    """Number of prompts that leave no room for an answer in the context."""
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    rows_per_second: float | None = None
    cost_per_1000_requests: float | None = None
    """Cost of 1,000 requests in USD, at evaluation.price_per_hour."""
    peak_memory_gb: float | None = None
    """Peak memory in GB of the process that answers."""


class TrainingFigures(FrozenModel):
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
    """Length of the longest prompt in tokens, by the model's own tokenizer."""
    training_gb: float
    """Estimated memory that a training worker needs, in GB."""
    rows: list[AnsweredRow]
    taken: dict[State, AnsweringFigures]
    trained: TrainingFigures | None
    """Measurements of the fine-tune; null if there was none."""
    machine: str


def read_outcome(layout: Layout, params: Params) -> ModelOutcome:
    evaluated = {state: which for state, which in CONTENDERS.items() if _has_answers(layout, which)}
    model = model_shape.read(layout.artefacts("base_model") / "model")
    tokens = layout.artefacts("tokenise")
    work = workload.of(tokens, params.training, model.context) if tokens.exists() else None
    needs = estimate.memory_needed(params.training, model, work)
    predicted = read_table(layout.artefacts("predict/base") / "predictions.parquet")
    return ModelOutcome(
        parameters=read_stage_json(layout.artefacts("base_model") / "result.json")["parameters"],
        context=model.context,
        longest_prompt=max(predicted["prompt_tokens"].to_pylist()),
        training_gb=round(needs.device / 1e9, 3),
        rows=_rows(layout, evaluated, params.evaluation),
        taken={state: _read_figures(layout, which) for state, which in evaluated.items()},
        trained=_read_training_figures(layout) if "fine_tuned" in evaluated else None,
        machine=sandbox.describe_machine(),
    )


def _has_answers(layout: Layout, which: ModelName) -> bool:
    return (layout.artefacts(f"predict/{which}") / "result.json").is_file()


def _rows(layout: Layout, states: Mapping[State, ModelName], settings: Evaluation) -> list[AnsweredRow]:
    sides = {side: read_table(layout.artefacts("split") / f"{side}.parquet").to_pylist() for side in ("train", "test")}
    expected = {  # plain texts have no target
        side: {row["record_id"]: target for row in rows if (target := row["messages"][-1]["content"])}
        for side, rows in sides.items()
    }
    judge = judge_of(settings, (expected["train"] or expected["test"]).values())
    said = {state: _read_answers(layout, which) for state, which in states.items()}

    def answer(state: State, record_id: str) -> AnswerVerdict:
        judged = judge.judge(said[state][record_id], expected["test"][record_id])
        return AnswerVerdict(right=judged.right, well_formed=judged.well_formed, label=judged.label)

    return [
        AnsweredRow(
            record_id=(name := row["record_id"]),
            language=row["language"] or NO_VALUE,
            label=label_of(expected["test"][name], settings),
            said={state: answer(state, name) for state in states},
        )
        for row in sides["test"]
    ]


def _read_answers(layout: Layout, which: ModelName) -> dict[str, str]:
    table = read_table(layout.artefacts(f"predict/{which}") / "predictions.parquet")
    return dict(zip(table["record_id"].to_pylist(), table["answer"].to_pylist(), strict=True))


def _read_figures(layout: Layout, which: ModelName) -> AnsweringFigures:
    said = facts.read(layout.artefacts(f"predict/{which}") / "result.json")
    measured = facts.read(layout.measurements(f"predict/{which}") / "facts.json")
    return AnsweringFigures.model_validate(
        {name: (said | measured)[name].value for name in AnsweringFigures.model_fields if name in {**said, **measured}}
    )


def _read_training_figures(layout: Layout) -> TrainingFigures:
    said = facts.read(layout.artefacts("train") / "result.json")
    measured = facts.read(layout.measurements("train") / "facts.json")
    return TrainingFigures.model_validate(
        {name: (said | measured)[name].value for name in TrainingFigures.model_fields}
    )
