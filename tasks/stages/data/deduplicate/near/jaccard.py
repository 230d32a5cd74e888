"""Which candidates are near-identical: the exact Jaccard of their shingles."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.near.parts import parts
from tasks.stages.data.deduplicate.near.shingles import BITS, shingles

TOGETHER = 1 << 20
"""Windows of pairs that are in memory together, each some 50 bytes."""


def proven(forms: pa.Array, pairs: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the pairs, which index `forms` and are sorted, those with at least this Jaccard; and their Jaccards."""
    sizes = pc.binary_length(forms).to_numpy()[pairs].sum(axis=1)
    measured = [jaccards(forms, pairs[begin:end]) for begin, end in parts(sizes, TOGETHER)]
    shares = np.concatenate([np.zeros(0), *measured])
    return pairs[shares >= least], shares[shares >= least]


def jaccards(forms: pa.Array, pairs: np.ndarray) -> np.ndarray:
    """What both have, as a share of what either has. No form may be empty."""
    ids, places = np.unique(pairs, return_inverse=True)
    windows = shingles(forms.take(pa.array(ids))).distinct()
    first, second = places.reshape(-1, 2).T
    both = np.sort(np.concatenate((windows.of(first), windows.of(second))), kind="stable")  # merges two runs
    twice = both[1:][both[1:] == both[:-1]] >> BITS
    common = np.bincount(twice.astype(np.int64), minlength=len(pairs))
    sizes = np.diff(windows.starts)
    shares: np.ndarray = common / (sizes[first] + sizes[second] - common)
    return shares
