"""Much work in parts that fit into memory."""

from collections.abc import Iterator

import numpy as np


def parts(sizes: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Begin and end of consecutive items whose sizes together are at most `most`; a larger one stands alone."""
    ends = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield begin, end
        begin = end
