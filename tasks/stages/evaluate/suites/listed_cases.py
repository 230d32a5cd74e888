"""Rendering of the cases that a suite lists, with the prompts of params.yaml."""

from collections.abc import Iterable, Iterator
from typing import Any

from tasks.core.params import prompt_template
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompts
from tasks.core.records.answer_label import require_parsable_target
from tasks.stages.evaluate.suites.suite import EvaluationSuite, WrittenCase


def find_unaskable_cases(suites: Iterable[EvaluationSuite], prompts: Prompts, settings: Evaluation) -> Iterator[str]:
    """Yield a message for each listed case that cannot be rendered, or whose expected answer has another form."""
    for suite in suites:
        for case in suite.cases:
            if why := unaskable_reason(case, prompts, settings):
                yield f"evaluation suite {suite.name}, case {case.id}: {why}"


def unaskable_reason(case: WrittenCase, prompts: Prompts, settings: Evaluation) -> str | None:
    """Return the reason why a case cannot be asked in a use case with these prompts; None if it can."""
    if case.task is None and len(prompts) > 1:
        return f"task: name one of {', '.join(prompts)}, since params.yaml has several"
    task = task_of(case, prompts)
    if task not in prompts:
        return f"task: params.yaml has {', '.join(prompts)}, got {task!r}"
    template = prompts[task].template
    missing = (
        [name for name in prompt_template.template_fields(template) if name not in case.slices] if template else []
    )
    if case.expected is not None:
        try:
            require_parsable_target(case.expected, settings)
        except ValueError as error:
            return f"expected: with evaluation.target {settings.target} an answer is a JSON object, and {error}"
    return f"the prompt template of task {task} shows {missing[0]}; give slices.{missing[0]}" if missing else None


def to_row(case: WrittenCase, prompts: Prompts) -> dict[str, Any]:
    """Return the columns of a record from which the chat turns of an askable case are rendered."""
    target = {"role": "assistant", "content": case.expected or ""}
    turns = [turn.model_dump() for turn in case.turns]
    fields = {name: case.slices.get(name) for name in prompt_template.RECORD_FIELDS}
    return {"record_id": case.id, "task": task_of(case, prompts), "messages": [*turns, target], **fields}


def task_of(case: WrittenCase, prompts: Prompts) -> str:
    return case.task or next(iter(prompts))
