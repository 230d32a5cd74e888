"""Nearest neighbours among vectors: all are compared with all, block by block.

Exact search over 20,000 vectors takes 8 seconds of one core, so that over 100,000 takes about three minutes. This is in
proportion to what the sentence model takes for them, so there is no approximate index.
"""

import numpy as np

BLOCK_CELLS = 1 << 25
"""Maximum number of similarities in memory at a time; 128 MiB."""
GROUP = 64
"""Number of columns in a group. The nearest n are in the n groups with the highest values, so only these are sorted;
sorting all takes three times as long as computing them."""


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
    groups = -(-size // GROUP)
    padded = np.zeros((groups * GROUP, vectors.shape[1]), np.float32)
    padded[:size] = vectors
    rows = max(1, BLOCK_CELLS // size)
    for begin in range(0, size, rows):
        block = vectors[begin : begin + rows] @ padded.T
        block[:, size:] = -np.inf
        block[np.arange(len(block)), begin + np.arange(len(block))] = -np.inf
        cells = _cells_of_best_groups(block, min(count, groups))
        likeness = np.take_along_axis(block, cells, axis=1)
        best = np.argpartition(likeness, cells.shape[1] - count, axis=1)[:, cells.shape[1] - count :]
        found, likeness = (np.take_along_axis(each, best, axis=1) for each in (cells, likeness))
        order = np.lexsort((found, -likeness))
        places[begin : begin + rows] = np.take_along_axis(found, order, axis=1)
        similarities[begin : begin + rows] = np.take_along_axis(likeness, order, axis=1)
    return places, similarities


def _cells_of_best_groups(block: np.ndarray, count: int) -> np.ndarray:
    """Return the columns of the `count` groups with the highest values in each row, shape (rows, count * GROUP)."""
    highest = block.reshape(len(block), -1, GROUP).max(2)
    best = np.argpartition(highest, highest.shape[1] - count, axis=1)[:, highest.shape[1] - count :]
    columns: np.ndarray = (best[:, :, None] * GROUP + np.arange(GROUP)).reshape(len(block), -1)
    return columns
