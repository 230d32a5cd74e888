"""Nearest neighbours among vectors: all are compared with all, block by block.

Exact search over 100,000 vectors of 384 numbers takes 8 × 10^12 operations, less than the sentence model takes to make
the vectors, so there is no approximate index.
"""

import numpy as np

BLOCK_CELLS = 1 << 25
"""Maximum number of similarities in memory at a time; 128 MiB."""


def nearest_neighbours(vectors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest neighbours of each vector, nearest first, and their cosine similarities.

    Args:
        vectors: Vectors of length 1, shape (n, width).
        count: Number of neighbours; at most n - 1 are returned.

    Returns:
        Positions and similarities, both of shape (n, min(count, n - 1)). Of equally near ones the first comes first.
    """
    size = len(vectors)
    count = min(count, size - 1)
    if count < 1:
        return np.zeros((size, 0), np.int64), np.zeros((size, 0), np.float32)
    places, similarities = np.empty((size, count), np.int64), np.empty((size, count), np.float32)
    rows = max(1, BLOCK_CELLS // size)
    for begin in range(0, size, rows):
        block = vectors[begin : begin + rows] @ vectors.T
        own = np.arange(len(block))
        block[own, begin + own] = -np.inf
        best = np.argpartition(block, size - count, axis=1)[:, size - count :]
        likeness = np.take_along_axis(block, best, axis=1)
        order = np.lexsort((best, -likeness))
        places[begin : begin + rows] = np.take_along_axis(best, order, axis=1)
        similarities[begin : begin + rows] = np.take_along_axis(likeness, order, axis=1)
    return places, similarities
