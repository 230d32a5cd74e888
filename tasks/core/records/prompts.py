"""Rendering of a record as chat turns. Training and prediction share this code, so their prompts are the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.params import prompt_template
from tasks.core.params.prompts import Prompt

ChatTurn = dict[str, str]
"""Chat turn: {"role": "system" | "user" | "assistant", "content": text}."""
RENDERED_COLUMNS = ("task", "messages", *prompt_template.RECORD_FIELDS)
"""Columns of a record that its chat turns are made of."""


def split_context_and_target(record: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> tuple[list[ChatTurn], str]:
    turns: Sequence[ChatTurn] = record["messages"]
    prompt = prompts[record["task"]]
    context = [{"role": turn["role"], "content": turn["content"]} for turn in turns[:-1]]
    if prompt.template is not None and context:
        fields = {name: record[name] for name in prompt_template.template_fields(prompt.template)}
        fields[prompt_template.PROMPT_FIELD] = context[-1]["content"]
        context[-1]["content"] = prompt_template.render_template(prompt.template, fields)
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return system + context, turns[-1]["content"]
