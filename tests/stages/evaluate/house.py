"""A run's folders as the stages before evaluation leave them: a split, a base model, a candidate, answers."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.core import facts
from tasks.core.facts import Facts
from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.params import Params
from tasks.core.params.use_case import UseCase
from tasks.core.records import record
from tasks.stages.evaluate import predict
from tasks.stages.evaluate.model_names import MODELS, ModelName
from tasks.stages.evaluate.sample import rows_to_answer
from tasks.stages.evaluate.suites import case_verdicts
from tasks.stages.evaluate.suites.results_schema import SuiteResults
from tests.tiny_model import make_tiny_model

INTENTS = ("card_lost", "loan_rate", "close_account")
EVALUATION = {
    "label_field": "intent",
    "max_new_tokens": 6,
    "batch_size": 4,
    "precision": "fp32",
    "threads": 1,
    "bootstrap_samples": 200,
}


def params(metrics: list[dict[str, Any]] | None = None, **evaluation: Any) -> Params:
    """Valid parameters; `evaluation` changes EVALUATION."""
    return Params.model_validate(
        {
            "use_case": {
                "name": "triage",
                "problem": "Messages are sorted by hand.",
                "users": ["agents"],
                "risk_tier": "limited",
                "approach": "instruction_tuning",
                "approach_reason": "r",
                "approved_uses": ["suggest"],
                "limitations": ["tests only"],
                "escalation_path": "e",
                "owners": {"business": "b", "technical": "t", "data": "d"},
                "success_metrics": metrics or [{"name": "m", "fact": "evaluate.exact_match", "at_least": 0.5}],
            },
            "prompts": {"triage": {"system": "Sort the message."}},
            "data": {},
            "base_model": {"folder": "m", "sha256": "0" * 64, "licence": "Apache-2.0"},
            "training": {},
            "evaluation": {**EVALUATION, **evaluation},
        }
    )


def target(number: int) -> str:
    return json.dumps({"intent": INTENTS[number % 3], "queue": f"q{number % 2}"})


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A record whose prompt's length grows with its number."""
    turns = [{"role": "user", "content": f"message {number}" + " please" * (number % 7)}]
    return {
        "record_id": f"{number:032x}",
        "source_id": ("tickets", "chats")[number % 2],
        "task": "triage",
        "messages": [*turns, {"role": "assistant", "content": target(number)}],
        "kind": ("answer", "escalate")[number % 2],
        "language": ("en", "de", "en")[number % 3],
        "department": None if number % 5 == 0 else "cards",
        "origin": "synthetic",
        "split": "",
        **changes,
    }


def saying(number: int, asked: str, answer: str, **changes: Any) -> dict[str, Any]:
    """A record with a prompt and a target of its own."""
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return row(number, messages=turns, **changes)


def write_split(layout: Layout, test: list[dict[str, Any]], train: list[dict[str, Any]] | None = None) -> None:
    sides = {"test": test, "train": train or [row(number) for number in range(100, 106)]}
    for side, rows in sides.items():
        table = pa.Table.from_pylist(rows, schema=record.RECORD_SCHEMA)
        record.write_table(table, layout.artefacts("split") / f"{side}.parquet")


Answer = Callable[[dict[str, Any]], str]


def right(example: dict[str, Any]) -> str:
    return str(example["messages"][-1]["content"])


def write_answers(
    layout: Layout, answers: Mapping[ModelName, Answer], measured: Facts | None = None, **evaluation: Any
) -> None:
    """What `predict` would have written, with the answer that each model's function gives; others are not present."""
    write_no_suites(layout)
    rows = record.read_table(layout.artefacts("split") / "test.parquet").to_pylist()
    settings, plain = params(**evaluation).evaluation, {"prompt_tokens": 9, "stopped": True, "reason": ""}
    for which in MODELS:
        asked = rows_to_answer(which, rows, settings) if which in answers else []
        table = [plain | {"record_id": r["record_id"], "answer": answers[which](r)} for r in asked]
        folder = layout.artefacts(f"predict/{which}")
        record.write_table(
            pa.Table.from_pylist(table, schema=predict.PREDICTIONS_SCHEMA), folder / "predictions.parquet"
        )
        write_json(folder / "result.json", {"present": which in answers, "facts": {}})
        if measured:
            write_json(layout.measurements(f"predict/{which}") / "facts.json", {"facts": facts.facts_to_json(measured)})


def write_no_suites(layout: Layout) -> None:
    """Writes the outputs of stage `suites` in a run without evaluation suites."""
    folder = layout.artefacts("suites")
    write_json(folder / "suites.json", SuiteResults(confidence=0.95, suites=[]).model_dump(mode="json"))
    record.write_table(case_verdicts.to_table([]), folder / "cases.parquet")


def evaluated(root: Path, rows: int = 30) -> Layout:
    """A layout ready for `evaluate`: the candidate right on all but every fifth row, base never, no champion."""
    layout = Layout(root)
    write_split(layout, [row(number) for number in range(rows)])
    write_answers(layout, {"base": lambda _: "I am sorry", "candidate": mostly_right})
    return layout


def mostly_right(example: dict[str, Any]) -> str:
    number = int(example["record_id"], 16)
    return target(number + 1) if number % 5 == 0 else target(number)


def write_base(layout: Layout) -> str:
    """The base model: the tiny one, made lively so that its answers differ and end. Returns the digest it states."""
    folder = layout.artefacts("base_model") / "model"
    make_tiny_model(folder)
    enliven(folder)
    write_json(layout.artefacts("base_model") / "result.json", {"sha256": "b" * 64, "facts": {}})
    return "b" * 64


def enliven(folder: Path, factor: float = 4.0) -> None:
    """Larger weights, so that the model says more than one token; and several end tokens, so that it stops."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name:
                weight.mul_(factor)
    model.generation_config.eos_token_id = [258, *range(0, 250, 9)]
    model.save_pretrained(folder)


def write_adapter(base: Path, folder: Path) -> None:
    """A LoRA adapter of `base` that changes what it says."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    settings = LoraConfig(
        r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings).save_pretrained(folder)


def sections(metrics: list[dict[str, Any]] | None = None) -> tuple[UseCase, Evaluation]:
    """Of `params`, what the report reads."""
    made = params(metrics)
    return made.use_case, made.evaluation
