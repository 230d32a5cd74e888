"""Turns of a conversation, made of its messages in order."""

from collections import Counter
from collections.abc import Iterable

from tasks.stages.data.text import is_blank

Turn = dict[str, str]
"""Turn with `role` and `content`."""


def merge_turns(messages: Iterable[Turn], mapping_counts: Counter[str]) -> list[Turn]:
    """Return turns that begin with the user's, alternate, and end with the assistant's.

    Messages without text are left out. Successive messages of one role become one turn, with a blank line between them.
    Turns before the user's first and after the assistant's last are left out, and added to `mapping_counts` as
    `dropped_turns`.

    Returns:
        The turns; empty if no message of the assistant follows one of the user.
    """
    merged: list[list[Turn]] = []
    for message in messages:
        if is_blank(message["content"]):
            continue
        if merged and merged[-1][0]["role"] == message["role"]:
            merged[-1].append(message)
        else:
            merged.append([message])
    begin = 1 if merged and merged[0][0]["role"] == "assistant" else 0
    end = len(merged) - 1 if merged and merged[-1][0]["role"] == "user" else len(merged)
    turns = [
        {"role": parts[0]["role"], "content": "\n\n".join(part["content"] for part in parts)}
        for parts in merged[begin:end]
    ]
    mapping_counts["dropped_turns"] += len(merged) - len(turns) if turns else 0
    return turns
