"""Exact Jaccard similarity of candidate pairs, computed from their shingles."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.similarity.batches import batch_ranges
from tasks.stages.data.deduplicate.similarity.shingles import WINDOW_BITS, shingle

BATCH_WINDOWS = 1 << 20
"""Maximum number of shingles in memory at a time; each takes about 50 bytes."""


def pairs_above(forms: pa.Array, pairs: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs with a Jaccard similarity of at least `least`, and their similarities.

    `pairs` are sorted pairs of indices of `forms`.
    """
    sizes = pc.binary_length(forms).to_numpy()[pairs].sum(axis=1)
    measured = [jaccards(forms, pairs[begin:end]) for begin, end in batch_ranges(sizes, BATCH_WINDOWS)]
    shares = np.concatenate([np.zeros(0), *measured])
    return pairs[shares >= least], shares[shares >= least]


def jaccards(forms: pa.Array, pairs: np.ndarray) -> np.ndarray:
    """Return the Jaccard similarity of each pair: the number of common shingles divided by the number of all shingles.

    No text may be empty.
    """
    ids, places = np.unique(pairs, return_inverse=True)
    windows = shingle(forms.take(pa.array(ids))).distinct()
    first, second = places.reshape(-1, 2).T
    both = np.sort(
        np.concatenate((windows.select(first), windows.select(second))), kind="stable"
    )  # merges two sorted runs
    twice = both[1:][both[1:] == both[:-1]] >> WINDOW_BITS
    common = np.bincount(twice.astype(np.int64), minlength=len(pairs))
    sizes = np.diff(windows.starts)
    shares: np.ndarray = common / (sizes[first] + sizes[second] - common)
    return shares
