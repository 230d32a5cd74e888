"""Division of work into parts that fit into memory."""

from collections.abc import Iterator

import numpy as np


def batch_ranges(sizes: np.ndarray, max_batch_size: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end index of batches of consecutive items.

    Sizes in a batch add up to at most `max_batch_size`. An item larger than `max_batch_size` forms a separate batch.
    """
    ends = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + max_batch_size, side="right")))
        yield begin, end
        begin = end
