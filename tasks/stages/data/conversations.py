"""Operations on the turns of many records at once.

Turns are column `messages` of `tasks.core.records.record.RECORD_SCHEMA`.

A record has at least one turn. The last turn is the target, which the model is to learn. The turns before the target
are the prompt.
"""

import hashlib
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.protect.placeholders import reduce_placeholders

TURN_SEPARATOR = "\x1f"
"""Character between the turns in `full_texts`. It never occurs within a turn, because normalising spaces removes it."""


def prompts(messages: pa.ListArray) -> pa.StringArray:
    """Return the prompt of each record: the texts of all turns before the target, joined by line feeds."""
    contents, ends = _turn_texts_and_ends(messages)
    before = np.ones(len(contents), bool)
    before[ends - 1] = False
    starts = np.concatenate([[0], ends - np.arange(1, len(ends) + 1)])  # every earlier record has lost its target
    turns = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), contents.filter(pa.array(before)))
    return pc.binary_join(turns, "\n")


def targets(messages: pa.ListArray) -> pa.StringArray:
    contents, ends = _turn_texts_and_ends(messages)
    return contents.take(pa.array(ends - 1))


def prompt_keys(messages: pa.ListArray) -> list[str]:
    """Return the prompt key of each record, which ignores case, spacing and the values behind placeholders.

    Stage `split` puts records with the same prompt key into the same partition.
    """
    turns = [
        f"{role}:{normalise_spaces(reduce_placeholders(text).casefold())}" for role, text in _roles_and_texts(messages)
    ]
    return ["\n".join(turns[begin : end - 1]) for begin, end in pairwise(_first_turn_positions(messages))]


def full_texts(messages: pa.ListArray) -> list[str]:
    """Return the turns of each record, with their roles, as one string with normalised spaces and unchanged case."""
    turns = [f"{role}:{normalise_spaces(text)}" for role, text in _roles_and_texts(messages)]
    return [TURN_SEPARATOR.join(turns[begin:end]) for begin, end in pairwise(_first_turn_positions(messages))]


def normalise_spaces(text: str) -> str:
    return " ".join(text.split())


def text_digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _turn_texts_and_ends(messages: pa.ListArray) -> tuple[pa.StringArray, np.ndarray]:
    return messages.flatten().field("content"), np.array(_first_turn_positions(messages)[1:], np.int64)


def _roles_and_texts(messages: pa.ListArray) -> list[tuple[str, str]]:
    turns = messages.flatten()
    return list(zip(turns.field("role").to_pylist(), turns.field("content").to_pylist(), strict=True))


def _first_turn_positions(messages: pa.ListArray) -> list[int]:
    starts: list[int] = (messages.offsets.to_numpy() - messages.offsets[0].as_py()).tolist()
    return starts
