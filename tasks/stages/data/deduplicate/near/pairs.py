"""Forms in, near pairs out."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.near.candidates import candidates
from tasks.stages.data.deduplicate.near.jaccard import proven
from tasks.stages.data.deduplicate.near.parts import parts
from tasks.stages.data.deduplicate.near.shingles import shingles
from tasks.stages.data.deduplicate.near.signatures import band_keys

TOGETHER = 1 << 20
"""Bytes of forms that are shingled at once, which takes some 40 bytes for each."""


@dataclass(frozen=True)
class NearPairs:
    pairs: np.ndarray
    """int64, n by 2: positions among the forms, the first below the second, sorted."""
    jaccards: np.ndarray


def near_pairs(forms: pa.Array, order: np.ndarray, least: float) -> NearPairs:
    """The pairs of distinct forms with a Jaccard of at least `least`.

    `order` holds the positions of the forms that are to be compared, best first (see `candidates.ANCHORS`). The result
    depends on which forms there are and on their order of preference alone. Beside the forms it takes 300 bytes of
    memory a form, and 20 MB.
    """
    keys = np.zeros((len(forms), 0), np.uint32)
    if len(order) > 1:
        sizes = pc.binary_length(forms).to_numpy()
        slices = (forms.slice(begin, end - begin) for begin, end in parts(sizes, TOGETHER))
        keys = np.concatenate([band_keys(shingles(part), least) for part in slices])
    pairs = np.sort(order[candidates(keys[order])], axis=1)
    return NearPairs(*proven(forms, pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], least))
