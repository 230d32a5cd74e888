"""Rendering of a record as chat turns. Training and prediction share this code, so their prompts are the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.params.prompts import Prompt

ChatTurn = dict[str, str]
"""Chat turn: {"role": "system" | "user" | "assistant", "content": text}."""


def split_context_and_target(record: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> tuple[list[ChatTurn], str]:
    turns: Sequence[ChatTurn] = record["messages"]
    system = prompts[record["task"]].system
    context = [{"role": turn["role"], "content": turn["content"]} for turn in turns[:-1]]
    return ([{"role": "system", "content": system}] if system else []) + context, turns[-1]["content"]
