"""Cases of a run: those that its suites list, and those that they derive from test rows."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompt, Prompts
from tasks.core.records import record, texts
from tasks.core.records.answer_label import extract_label
from tasks.stages.evaluate import sample
from tasks.stages.evaluate.suites import listed_cases
from tasks.stages.evaluate.suites.judges.judge import CaseJudge
from tasks.stages.evaluate.suites.label_phrases import find_label_phrases
from tasks.stages.evaluate.suites.suite import EvaluationSuite, Severity, WrittenCase, read_suites
from tasks.stages.evaluate.suites.variants import ORIGINAL, DerivedCases, Variant

Row = Mapping[str, Any]
TEMPLATE_FIELD = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Case:
    suite: str
    id: str
    """Name of the case in its suite. For a derived case, this is RECORD.VARIANT."""
    row: Row
    """Columns of a record that its chat turns are rendered from. Its last turn is the target, which can be empty."""
    judge: CaseJudge | None
    """Judge of the answer; None if other answers are only compared with it."""
    severity: Severity
    expected: str | None
    should_refuse: bool | None
    reference: str | None
    """Id of the case whose answer this case's answer is compared with."""
    cluster: str
    """Test row that the case is derived from, its pair, or the case itself. Cases of a cluster are not independent."""
    slices: Mapping[str, str]

    @property
    def key(self) -> str:
        return f"{self.suite}/{self.id}"


def load_cases(layout: Layout, settings: Evaluation, prompts: Prompts) -> list[Case]:
    """Return the cases of all suites in inputs/evaluations.json, in the order of the suites.

    Raises:
        InputError: inputs/evaluations.json cannot be read, or a listed case is in the training rows or cannot be
            rendered.
    """
    suites = read_suites(layout.evaluations_path)
    if not suites:
        return []
    if unaskable := list(listed_cases.find_unaskable_cases(suites, prompts, settings)):
        raise InputError("\n".join(unaskable))
    split = layout.artefacts("split")
    tested = [row for row in record.read_table(split / "test.parquet").to_pylist() if not texts.is_plain_text(row)]
    trained = record.read_table(split / "train.parquet", ["record_id", "messages"]).to_pylist()
    trained = [row for row in trained if not texts.is_plain_text(row)]
    phrases = partial(find_label_phrases, _texts_with_labels(trained, settings))
    cases = [case for suite in suites for case in _cases_of_suite(suite, tested, phrases, prompts)]
    _refuse_trained_cases((case for case in cases if case.row["record_id"] == case.id), trained)
    return cases


def _cases_of_suite(
    suite: EvaluationSuite, tested: Sequence[Row], phrases: Callable[[int], Sequence[str]], prompts: Prompts
) -> Iterator[Case]:
    for written in suite.cases:
        added = added_text(prompts[listed_cases.task_of(written, prompts)])
        if added or not (written.judge or suite.judge).needs_added_text:
            yield _listed_case(suite, written, prompts)
    if suite.derived is not None:
        kinds = suite.derived.kinds
        compared = suite.derived.with_phrases(phrases(suite.derived.training_phrases or 0))
        suitable = [row for row in tested if compared.variants and (not kinds or row["kind"] in kinds)]
        for row in sample.draw_rows(suitable, suite.derived.rows, f"{suite.name} {suite.version}"):
            yield from _derived_cases(suite, compared, row)


def _texts_with_labels(trained: Sequence[Row], settings: Evaluation) -> list[tuple[str, str]]:
    return [
        (row["messages"][-2]["content"], extract_label(row["messages"][-1]["content"], settings)) for row in trained
    ]


def added_text(prompt: Prompt) -> str:
    """Return what the platform adds to a user's words: the system turn, and the template without its fields."""
    return "\n".join(filter(None, (prompt.system, TEMPLATE_FIELD.sub(" ", prompt.template or ""))))


def _listed_case(suite: EvaluationSuite, case: WrittenCase, prompts: Prompts) -> Case:
    return Case(
        suite=suite.name,
        id=case.id,
        row=listed_cases.to_row(case, prompts),
        judge=case.judge or suite.judge,
        severity=case.severity or suite.severity,
        expected=case.expected,
        should_refuse=case.should_refuse,
        reference=None,
        cluster=case.id if case.pair is None else f"pair {case.pair}",
        slices=case.slices,
    )


def _derived_cases(suite: EvaluationSuite, derived: DerivedCases, row: Row) -> Iterator[Case]:
    compared: list[Variant] = derived.variants
    reference = None
    if suite.judge.needs_reference:
        reference = Variant(name=ORIGINAL)
        if derived.compare_with == "first_variant":
            reference, *compared = derived.variants
        yield _derived_case(suite, row, reference, None, judged=False)
    for variant in compared:
        # A variant that does not change this text would be compared with itself.
        if reference is None or _changed_text(row, variant) != _changed_text(row, reference):
            yield _derived_case(suite, row, variant, reference.name if reference else None, judged=True)


def _changed_text(row: Row, variant: Variant) -> str:
    return variant.apply(row["messages"][-2]["content"], row["record_id"])


def _derived_case(
    suite: EvaluationSuite, row: Row, variant: Variant, compared_with: str | None, *, judged: bool
) -> Case:
    *before, asked, target = row["messages"]
    changed = {"role": asked["role"], "content": _changed_text(row, variant)}
    known = {name: row[name] for name in ("language", "department", "kind") if row[name]}
    return Case(
        suite=suite.name,
        id=f"{row['record_id']}.{variant.name}",
        row={**row, "messages": [*before, changed, target]},
        judge=suite.judge if judged else None,
        severity=suite.severity,
        expected=target["content"],
        should_refuse=None,
        reference=f"{row['record_id']}.{compared_with}" if compared_with else None,
        cluster=row["record_id"],
        slices={**known, "variant": variant.name, **variant.slices},
    )


def _refuse_trained_cases(cases: Iterable[Case], trained: Iterable[Row]) -> None:
    by_turns = {_turns_key(row): row["record_id"] for row in trained}
    found = [
        f"{case.key} is training record {by_turns[key]}" for case in cases if (key := _turns_key(case.row)) in by_turns
    ]
    if found:
        raise InputError(
            f"evaluation suites have cases that the model is trained on: {'; '.join(found[:10])}"
            f"{', …' if len(found) > 10 else ''}; change the case, or leave the record out of its source"
        )


def _turns_key(row: Row) -> tuple[str, ...]:
    return tuple(" ".join(turn["content"].split()).casefold() for turn in row["messages"][:-1])
