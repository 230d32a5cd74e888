"""Outcome of one base model: verdicts on its answers, row by row, and measurements. It is stored without texts."""

from collections.abc import Mapping
from typing import Literal

from tasks.core import facts
from tasks.core.config import Frozen
from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.params import Params
from tasks.core.record import read_table
from tasks.stages.evaluate.answers import target_of
from tasks.stages.evaluate.contenders import Which
from tasks.stages.evaluate.examples import UNNAMED
from tasks.stages.train.preflight import estimate, shape, workload
from tasks.supervise import box

State = Literal["zero_shot", "fine_tuned"]
STATES: dict[State, Which] = {"zero_shot": "base", "fine_tuned": "candidate"}
"""Names that stages use for the states."""


class Answer(Frozen):
    right: bool
    well_formed: bool
    label: str


class Row(Frozen):
    record_id: str
    language: str
    label: str
    """Expected label."""
    said: dict[State, Answer]


class Taken(Frozen):
    """Measurements of answering on this machine."""

    cut_off: int
    """Number of answers that ended at max_new_tokens."""
    too_long: int
    """Number of prompts that leave no room for an answer in the context."""
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    rows_per_second: float | None = None
    cost_per_1000_requests: float | None = None
    """Cost in USD, at evaluation.price_per_hour."""
    peak_memory_gb: float | None = None
    """Peak memory of the process that answers."""


class Trained(Frozen):
    rows: int
    steps: int
    final_loss: float
    seconds: float
    tokens_per_second: float
    peak_memory_gb: float
    """Peak memory of the worker that used most."""


class Outcome(Frozen):
    parameters: int
    """Number of weights, with tied ones counted once."""
    context: int | None
    """Context length in tokens; null if the model states no limit."""
    longest_prompt: int
    """Number of tokens of the longest prompt, by the model's own tokenizer."""
    training_gb: float
    """Estimated memory of a training worker in GB."""
    rows: list[Row]
    taken: dict[State, Taken]
    trained: Trained | None
    """Measurements of the fine-tune; null if there was none."""
    machine: str


def read(layout: Layout, params: Params) -> Outcome:
    """Read the outcome from the outputs of a worktree, up to the stages that were executed."""
    there = {state: which for state, which in STATES.items() if _answered(layout, which)}
    model = shape.read(layout.stage("base_model") / "model")
    tokens = layout.stage("tokenise")
    work = workload.of(tokens, params.training, model.context) if tokens.exists() else None
    needs = estimate.needs(params.training, model, work)
    predicted = read_table(layout.stage("predict/base") / "predictions.parquet")
    return Outcome(
        parameters=read_json(layout.stage("base_model") / "result.json")["parameters"],
        context=model.context,
        longest_prompt=max(predicted["prompt_tokens"].to_pylist()),
        training_gb=round(needs.device / 1e9, 3),
        rows=_rows(layout, there, params.evaluation),
        taken={state: _taken(layout, which) for state, which in there.items()},
        trained=_trained(layout) if "fine_tuned" in there else None,
        machine=box.machine(),
    )


def _answered(layout: Layout, which: Which) -> bool:
    return (layout.stage(f"predict/{which}") / "result.json").is_file()


def _rows(layout: Layout, states: Mapping[State, Which], settings: Evaluation) -> list[Row]:
    sides = {side: read_table(layout.stage("split") / f"{side}.parquet").to_pylist() for side in ("train", "test")}
    expected = {  # plain texts have no target
        side: {row["record_id"]: target for row in rows if (target := row["messages"][-1]["content"])}
        for side, rows in sides.items()
    }
    target = target_of(settings, expected["train"] or expected["test"], expected["test"])
    said = {state: _said(layout, which) for state, which in states.items()}

    def answer(state: State, record_id: str) -> Answer:
        judged = target.judge(said[state][record_id], expected["test"][record_id])
        return Answer(right=judged.right, well_formed=judged.well_formed, label=judged.label)

    return [
        Row(
            record_id=(name := row["record_id"]),
            language=row["language"] or UNNAMED,
            label=target.label(expected["test"][name]),
            said={state: answer(state, name) for state in states},
        )
        for row in sides["test"]
    ]


def _said(layout: Layout, which: Which) -> dict[str, str]:
    table = read_table(layout.stage(f"predict/{which}") / "predictions.parquet")
    return dict(zip(table["record_id"].to_pylist(), table["answer"].to_pylist(), strict=True))


def _taken(layout: Layout, which: Which) -> Taken:
    said = facts.parse(read_json(layout.stage(f"predict/{which}") / "result.json")["facts"])
    measured = facts.parse(read_json(layout.measured(f"predict/{which}") / "facts.json")["facts"])
    return Taken.model_validate(
        {name: (said | measured)[name].value for name in Taken.model_fields if name in {**said, **measured}}
    )


def _trained(layout: Layout) -> Trained:
    said = facts.parse(read_json(layout.stage("train") / "result.json")["facts"])
    measured = facts.parse(read_json(layout.measured("train") / "facts.json")["facts"])
    return Trained.model_validate({name: (said | measured)[name].value for name in Trained.model_fields})
