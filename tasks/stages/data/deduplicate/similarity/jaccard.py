"""Exact Jaccard similarity of candidate pairs, computed from their shingles."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.similarity.batches import batch_ranges
from tasks.stages.data.deduplicate.similarity.shingles import SHINGLE_BITS, compute_shingles

BATCH_SHINGLES = 1 << 20
"""Maximum number of shingles in memory at a time; each takes about 50 bytes."""


def filter_similar_pairs(forms: pa.Array, pairs: np.ndarray, min_similarity: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs with a Jaccard similarity of at least `min_similarity`, and their similarities.

    `pairs` are pairs of indices into `forms`, in ascending order.
    """
    sizes = pc.binary_length(forms).to_numpy()[pairs].sum(axis=1)
    measured = [jaccard_similarities(forms, pairs[begin:end]) for begin, end in batch_ranges(sizes, BATCH_SHINGLES)]
    shares = np.concatenate([np.zeros(0), *measured])
    return pairs[shares >= min_similarity], shares[shares >= min_similarity]


def jaccard_similarities(forms: pa.Array, pairs: np.ndarray) -> np.ndarray:
    """Return the Jaccard similarity of each pair: the number of common shingles divided by the number of all shingles.

    No text may be empty.
    """
    ids, places = np.unique(pairs, return_inverse=True)
    windows = compute_shingles(forms.take(pa.array(ids))).deduplicated()
    first, second = places.reshape(-1, 2).T
    both = np.sort(
        np.concatenate((windows.select(first), windows.select(second))), kind="stable"
    )  # merges two sorted runs
    twice = both[1:][both[1:] == both[:-1]] >> SHINGLE_BITS
    common = np.bincount(twice.astype(np.int64), minlength=len(pairs))
    sizes = np.diff(windows.starts)
    shares: np.ndarray = common / (sizes[first] + sizes[second] - common)
    return shares
