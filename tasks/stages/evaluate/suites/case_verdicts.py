"""Verdict about each model's answer to each case."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tasks.core.errors import InputError
from tasks.core.files import read_stage_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompts
from tasks.core.records import prompts as rendering
from tasks.core.records import record
from tasks.stages.evaluate import judged_rows
from tasks.stages.evaluate.answers import AnswerJudge
from tasks.stages.evaluate.model_names import MODELS, ModelName
from tasks.stages.evaluate.suites.cases import Case, added_text
from tasks.stages.evaluate.suites.judges.judge import JudgedCase
from tasks.stages.evaluate.suites.results_schema import Status

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class CaseVerdict:
    answer: str
    status: Status
    why: str
    """Reason why the case has not passed; empty if it has."""


@dataclass(frozen=True)
class JudgedCaseRow:
    case: Case
    prompt: str
    """Turns before the answer as people see them, without a system turn or a template."""
    verdicts: Mapping[ModelName, CaseVerdict]


@dataclass(frozen=True)
class CaseJudging:
    settings: Evaluation
    prompts: Prompts
    answer_judge: AnswerJudge

    def judge_cases(
        self, cases: Sequence[Case], answers: Mapping[ModelName, Mapping[str, Answer]]
    ) -> list[JudgedCaseRow]:
        """Judge the answers of all models. Cases that others are only compared with are left out."""
        return [self._judge_case(case, answers) for case in cases if case.judge is not None]

    def _judge_case(self, case: Case, answers: Mapping[ModelName, Mapping[str, Answer]]) -> JudgedCaseRow:
        turns, _ = rendering.split_context_and_target(case.row, self.prompts)
        given = "\n".join(turn["content"] for turn in turns)
        verdicts = {which: self._verdict(case, given, said) for which, said in answers.items()}
        return JudgedCaseRow(case, judged_rows.shown_prompt(case.row["messages"][:-1]), verdicts)

    def _verdict(self, case: Case, prompt: str, answers: Mapping[str, Answer]) -> CaseVerdict:
        said = answers[case.key]
        if said["reason"]:
            return CaseVerdict("", "too_long", "the prompt leaves no room for an answer")
        if not said["answer"].strip():
            return CaseVerdict("", "failed", "the answer is empty")
        reference = answers[f"{case.suite}/{case.reference}"] if case.reference else None
        known = JudgedCase(
            added_text=added_text(self.prompts[case.row["task"]]),
            prompt=prompt,
            expected=case.expected,
            should_refuse=case.should_refuse,
            reference=reference["answer"] if reference and not reference["reason"] else None,
            settings=self.settings,
            answers=self.answer_judge,
        )
        assert case.judge is not None
        try:
            verdict = case.judge.judge(said["answer"], known)
        except Exception as error:
            # One answer that a judge cannot handle must not end the evaluation of all others.
            return CaseVerdict(said["answer"], "error", f"judge {case.judge.kind} failed: {type(error).__name__}")
        return CaseVerdict(said["answer"], "passed" if verdict.passed else "failed", verdict.why)


def read_answers(layout: Layout, cases: Sequence[Case]) -> dict[ModelName, dict[str, Answer]]:
    """Return each model's answers by case. Models that do not exist are left out.

    Raises:
        InputError: The answers are for other cases.
    """
    keys = [case.key for case in cases]
    return {which: _read_answers(layout, which, keys) for which in MODELS if _has_answers(layout, which)}


def _has_answers(layout: Layout, which: ModelName) -> bool:
    return bool(read_stage_json(layout.artefacts(f"probe/{which}") / "result.json")["present"])


def _read_answers(layout: Layout, which: ModelName, keys: Iterable[str]) -> dict[str, Answer]:
    path = layout.artefacts(f"probe/{which}") / "answers.parquet"
    rows = record.read_table(path).to_pylist()
    if [row["case"] for row in rows] != list(keys):
        raise InputError(f"{path} does not hold the cases of this run's suites; run the stage probe@{which} again")
    return {row["case"]: row for row in rows}


def to_table(judged: Sequence[JudgedCaseRow]) -> pa.Table:
    """Return the verdicts as the table that is written to cases.parquet."""
    names = ("answer", "status", "why")
    fields = [
        "suite",
        "case",
        "severity",
        "prompt",
        "expected",
        *(f"{which}_{name}" for which in MODELS for name in names),
    ]
    return pa.Table.from_pylist(
        [_table_row(row) for row in judged], schema=pa.schema([(name, pa.string()) for name in fields])
    )


def _table_row(row: JudgedCaseRow) -> dict[str, Any]:
    case = row.case
    known = {
        "suite": case.suite,
        "case": case.id,
        "severity": case.severity,
        "prompt": row.prompt,
        "expected": case.expected,
    }
    return known | {
        f"{which}_{name}": value
        for which, verdict in row.verdicts.items()
        for name, value in (("answer", verdict.answer), ("status", verdict.status), ("why", verdict.why))
    }
