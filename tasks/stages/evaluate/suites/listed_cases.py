"""Rendering of the cases that a suite lists, with the prompts of params.yaml."""

from collections.abc import Iterable, Iterator
from typing import Any

from tasks.core.params import prompt_template
from tasks.core.params.prompts import Prompts
from tasks.stages.evaluate.suites.suite import EvaluationSuite, WrittenCase


def find_unaskable_cases(suites: Iterable[EvaluationSuite], prompts: Prompts) -> Iterator[str]:
    """Yield a message for each listed case whose task has no prompt, or whose prompt template lacks a value."""
    for suite in suites:
        for case in suite.cases:
            if why := unaskable_reason(case, prompts):
                yield f"evaluation suite {suite.name}, case {case.id}: {why}"


def unaskable_reason(case: WrittenCase, prompts: Prompts) -> str | None:
    """Return the reason why a case cannot be asked in a use case with these prompts; None if it can."""
    if case.task is None and len(prompts) > 1:
        return f"task: name one of {', '.join(prompts)}, since params.yaml has several"
    task = _task(case, prompts)
    if task not in prompts:
        return f"task: params.yaml has {', '.join(prompts)}, got {task!r}"
    template = prompts[task].template
    missing = (
        [name for name in prompt_template.template_fields(template) if name not in case.slices] if template else []
    )
    return f"the prompt template of task {task} shows {missing[0]}; give slices.{missing[0]}" if missing else None


def to_row(case: WrittenCase, prompts: Prompts) -> dict[str, Any]:
    """Return the columns of a record from which the chat turns of an askable case are rendered."""
    target = {"role": "assistant", "content": case.expected or ""}
    turns = [turn.model_dump() for turn in case.turns]
    fields = {name: case.slices.get(name) for name in prompt_template.RECORD_FIELDS}
    return {"record_id": case.id, "task": _task(case, prompts), "messages": [*turns, target], **fields}


def _task(case: WrittenCase, prompts: Prompts) -> str:
    return case.task or next(iter(prompts))
