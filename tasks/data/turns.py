"""The two halves of a record: what is before the target, and the target."""

from collections.abc import Mapping
from typing import Any


def prompt_text(record: Mapping[str, Any]) -> str:
    """The text of all turns before the target, one below the other."""
    return "\n".join(turn["content"] for turn in record["messages"][:-1])


def target_text(record: Mapping[str, Any]) -> str:
    """The text of the last turn, which the model is to learn."""
    text: str = record["messages"][-1]["content"]
    return text
