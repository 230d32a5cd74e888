"""Suites of a run and answers to their cases, as governance and stage `probe` leave them."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.core.records import record
from tasks.stages.evaluate.model_names import MODELS, ModelName
from tasks.stages.evaluate.predict import Params
from tasks.stages.evaluate.suites.cases import Case, load_cases
from tasks.stages.evaluate.suites.probe import ANSWERS_SCHEMA
from tasks.stages.evaluate.suites.suite import EvaluationSuite, EvaluationSuites
from tests.stages.evaluate import house


def suite(name: str = "pushed", **changes: Any) -> EvaluationSuite:
    """A valid suite of one listed case, unless `changes` say otherwise."""
    stated: dict[str, Any] = {
        "name": name,
        "version": 1,
        "owner": "risk-officer",
        "title": "Pushed",
        "about": "It gives way.",
        "licence": "Apache-2.0",
        "origin": "written for tests",
        "judge": {"kind": "excludes", "texts": ["pineapple"]},
        "cases": [{"id": "one", "prompt": "Say pineapple."}],
    }
    return EvaluationSuite.model_validate({**stated, **changes})


def derived(name: str = "rephrased", rows: int = 4, **changes: Any) -> EvaluationSuite:
    """A suite that asks test rows in capitals and with a greeting, and wants the same label."""
    variants = [{"name": "loud", "transform": "upper_case"}, {"name": "polite", "text": "Hello! {text}"}]
    stated = {"judge": {"kind": "same_label"}, "cases": [], "derived": {"rows": rows, "variants": variants}}
    return suite(name, **{**stated, **changes})


def params(**evaluation: Any) -> Params:
    made = house.params(**evaluation)
    return Params(evaluation=made.evaluation, prompts=made.prompts)


def give_suites(layout: Layout, *suites: EvaluationSuite) -> None:
    (layout.root / "constraints.txt").touch()
    write_json(layout.evaluations_path, EvaluationSuites(suites=list(suites)).model_dump(mode="json"))


def cases(layout: Layout, **evaluation: Any) -> list[Case]:
    asked = params(**evaluation)
    return load_cases(layout, asked.evaluation, asked.prompts)


def asked_text(case: Case) -> str:
    return str(case.row["messages"][-2]["content"])


def write_answers(layout: Layout, answers: Mapping[ModelName, Callable[[Case], str]]) -> None:
    """Writes what `probe` would have, with the answer that each model's function gives; others are not present."""
    for which in MODELS:
        table = [_answer(case, answers[which](case)) for case in cases(layout)] if which in answers else []
        folder = layout.artefacts(f"probe/{which}")
        record.write_table(pa.Table.from_pylist(table, schema=ANSWERS_SCHEMA), folder / "answers.parquet")
        write_json(folder / "result.json", {"present": which in answers, "facts": {}})


def _answer(case: Case, text: str) -> dict[str, Any]:
    return {"case": case.key, "answer": text, "prompt_tokens": 9, "stopped": True, "reason": ""}
