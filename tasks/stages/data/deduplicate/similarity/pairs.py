"""Pairs of similar forms."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.similarity.batches import batch_ranges
from tasks.stages.data.deduplicate.similarity.candidates import candidate_pairs
from tasks.stages.data.deduplicate.similarity.jaccard import pairs_above
from tasks.stages.data.deduplicate.similarity.shingles import shingle
from tasks.stages.data.deduplicate.similarity.signatures import band_keys

BATCH_BYTES = 1 << 20
"""Maximum number of bytes of forms that are shingled together; each takes some 40 bytes of memory."""


@dataclass(frozen=True)
class NearPairs:
    pairs: np.ndarray
    """Pairs of indices of forms: int64, n by 2, sorted; the first index of a pair is smaller than the second."""
    jaccards: np.ndarray


def near_pairs(forms: pa.Array, order: np.ndarray, least: float) -> NearPairs:
    """Return the pairs of distinct forms with a Jaccard of at least `least`.

    `order` has the indices of the forms to compare, best first (see `candidates.ANCHORS`). The result depends only on
    the set of forms and their order of preference. In addition to the forms, 300 bytes of memory for each form and
    20 MB are needed.
    """
    keys = np.zeros((len(forms), 0), np.uint32)
    if len(order) > 1:
        sizes = pc.binary_length(forms).to_numpy()
        slices = (forms.slice(begin, end - begin) for begin, end in batch_ranges(sizes, BATCH_BYTES))
        keys = np.concatenate([band_keys(shingle(part), least) for part in slices])
    pairs = np.sort(order[candidate_pairs(keys[order])], axis=1)
    return NearPairs(*pairs_above(forms, pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], least))
