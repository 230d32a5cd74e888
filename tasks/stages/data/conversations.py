"""The turns of many records at once: functions of a column `messages` of `tasks.core.record.SCHEMA`.

A record has at least one turn. The last is the target, which the model is to learn; those before are the prompt.
"""

import hashlib
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.protect.placeholders import without_values

SEPARATOR = "\x1f"
"""Between turns: a character that `str.split` takes for white space, so that no evenly spaced text holds it."""


def prompts(messages: pa.ListArray) -> pa.StringArray:
    """The text of all turns before the target, one below the other."""
    contents, ends = _contents(messages)
    before = np.ones(len(contents), bool)
    before[ends - 1] = False
    starts = np.concatenate([[0], ends - np.arange(1, len(ends) + 1)])  # each record before has lost its target
    turns = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), contents.filter(pa.array(before)))
    return pc.binary_join(turns, "\n")


def targets(messages: pa.ListArray) -> pa.StringArray:
    """The text of the last turn."""
    contents, ends = _contents(messages)
    return contents.take(pa.array(ends - 1))


def prompt_keys(messages: pa.ListArray) -> list[str]:
    """What makes two prompts the same for splitting: the turns before the target, caseless, evenly spaced, whomever
    they name."""
    turns = [f"{role}:{spaced(without_values(text).casefold())}" for role, text in _turns(messages)]
    return ["\n".join(turns[begin : end - 1]) for begin, end in pairwise(_starts(messages))]


def wholes(messages: pa.ListArray) -> list[str]:
    """All turns with their roles, evenly spaced; case counts."""
    turns = [f"{role}:{spaced(text)}" for role, text in _turns(messages)]
    return [SEPARATOR.join(turns[begin:end]) for begin, end in pairwise(_starts(messages))]


def spaced(text: str) -> str:
    """With one blank between its words."""
    return " ".join(text.split())


def digest(text: str) -> bytes:
    """16 bytes that stand for a text where only equality counts."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _contents(messages: pa.ListArray) -> tuple[pa.StringArray, np.ndarray]:
    """The texts of all turns, and where each record's end among them."""
    return messages.flatten().field("content"), np.array(_starts(messages)[1:], np.int64)


def _turns(messages: pa.ListArray) -> list[tuple[str, str]]:
    """Role and text of all turns."""
    turns = messages.flatten()
    return list(zip(turns.field("role").to_pylist(), turns.field("content").to_pylist(), strict=True))


def _starts(messages: pa.ListArray) -> list[int]:
    """Where each record's turns begin among all; the last ones' end."""
    starts: list[int] = (messages.offsets.to_numpy() - messages.offsets[0].as_py()).tolist()
    return starts
