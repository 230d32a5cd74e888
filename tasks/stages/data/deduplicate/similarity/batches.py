"""Division of work into parts that fit into memory."""

from collections.abc import Iterator

import numpy as np


def batch_ranges(sizes: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Yield start and end index of batches of consecutive items, whose sizes add up to at most `most`.

    An item larger than `most` forms a separate batch.
    """
    ends = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield begin, end
        begin = end
