"""Chat turns of a request, with the system prompt and the template of the release's evaluation."""

from collections.abc import Mapping, Sequence

from tasks.core.errors import InputError
from tasks.core.params import prompt_template
from tasks.core.payload.inference_config import InferenceSettings
from tasks.core.records.prompts import ChatTurn

ROLES = ("user", "assistant")


def render_turns(
    settings: InferenceSettings, turns: Sequence[ChatTurn], task: str | None, fields: Mapping[str, str]
) -> list[ChatTurn]:
    """Return the turns in the form in which the model receives them, with system prompt and template.

    Args:
        settings: Inference settings of the release.
        turns: Turns of the conversation, without a system turn. The last one is the question.
        task: Task whose prompt is used; None if the release has one task.
        fields: Values for the fields of the task's template, such as `department`.

    Raises:
        InputError: The task is missing or unknown, the turns are not of users and assistants, or a field of the
            template is missing.
    """
    if not turns or turns[-1]["role"] != "user" or any(turn["role"] not in ROLES for turn in turns):
        raise InputError(
            "expected turns of `user` and `assistant`, the last one of `user`; the release has its own system prompt"
        )
    task = require_task(settings, task)
    asked = [{**turn} for turn in turns]
    asked[-1]["content"] = _render_question(settings, asked[-1]["content"], task, fields)
    system = settings.system[task]
    return [*([{"role": "system", "content": system}] if system else []), *asked]


def require_task(settings: InferenceSettings, task: str | None) -> str:
    """Return the task; without one, the only task of the release.

    Raises:
        InputError: The task is missing or unknown.
    """
    known = settings.system
    if task is None and len(known) == 1:
        (task,) = known
    if task not in known:
        given = f"task {task!r}" if task else "a task"
        raise InputError(f"{given}: the release has the tasks {', '.join(sorted(known))}; name one of them")
    return task


def _render_question(settings: InferenceSettings, text: str, task: str, fields: Mapping[str, str]) -> str:
    template = settings.template.get(task)
    wanted = prompt_template.template_fields(template) if template else []
    if sorted(fields) != wanted:
        raise InputError(
            f"fields: the template of task {task!r} has {', '.join(wanted) or 'none besides the prompt'}, got "
            f"{', '.join(sorted(map(str, fields))) or 'none'}"
        )
    if template is None:
        return text
    return prompt_template.render_template(template, {**fields, prompt_template.PROMPT_FIELD: text})
