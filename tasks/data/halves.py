"""The two halves of many records at once, without a Python object a text; `turns` has them of one record."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def prompt_texts(messages: pa.ListArray) -> pa.StringArray:
    """`tasks.data.turns.prompt_text` of each record of a column `messages`."""
    contents, ends = _contents(messages)
    before = np.ones(len(contents), bool)
    before[ends - 1] = False
    starts = np.concatenate([[0], ends - np.arange(1, len(ends) + 1)])  # each record before has lost its target
    turns = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), contents.filter(pa.array(before)))
    return pc.binary_join(turns, "\n")


def target_texts(messages: pa.ListArray) -> pa.StringArray:
    """`tasks.data.turns.target_text` of each."""
    contents, ends = _contents(messages)
    return contents.take(pa.array(ends - 1))


def _contents(messages: pa.ListArray) -> tuple[pa.StringArray, np.ndarray]:
    """The texts of all turns, and where each record's end among them. A record has at least one turn."""
    offsets = messages.offsets.to_numpy()
    return messages.flatten().field("content"), (offsets[1:] - offsets[0]).astype(np.int64)
