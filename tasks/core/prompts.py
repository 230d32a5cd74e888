"""A record as the chat that a model sees. Training and prediction both render here, so they cannot differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.params.prompts import Prompt

Turn = dict[str, str]
"""One chat turn: {"role": "system" | "user" | "assistant", "content": text}."""


def chat(record: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> tuple[list[Turn], str]:
    """The turns before the target, and the target text.

    `record` is a row of `tasks.core.record.SCHEMA` as a dict. The task's system prompt comes first where it has one.
    """
    turns: Sequence[Turn] = record["messages"]
    system = prompts[record["task"]].system
    context = [{"role": turn["role"], "content": turn["content"]} for turn in turns[:-1]]
    return ([{"role": "system", "content": system}] if system else []) + context, turns[-1]["content"]
