"""Rendering of a record as chat turns. Training and prediction share this code, so their prompts are the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.params.prompts import Prompt

Turn = dict[str, str]
"""Chat turn: {"role": "system" | "user" | "assistant", "content": text}."""


def chat_turns(record: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> tuple[list[Turn], str]:
    turns: Sequence[Turn] = record["messages"]
    system = prompts[record["task"]].system
    context = [{"role": turn["role"], "content": turn["content"]} for turn in turns[:-1]]
    return ([{"role": "system", "content": system}] if system else []) + context, turns[-1]["content"]
