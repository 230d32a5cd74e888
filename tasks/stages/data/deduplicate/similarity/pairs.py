"""Pairs of similar texts."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.similarity.batches import batch_ranges
from tasks.stages.data.deduplicate.similarity.candidates import candidate_pairs
from tasks.stages.data.deduplicate.similarity.corrections import find_corrected_pairs
from tasks.stages.data.deduplicate.similarity.jaccard import filter_similar_pairs, jaccard_similarities
from tasks.stages.data.deduplicate.similarity.shingles import compute_shingles
from tasks.stages.data.deduplicate.similarity.signatures import band_keys

BATCH_BYTES = 1 << 20
"""Maximum number of bytes of text that are shingled at a time. Each byte of text takes about 40 bytes of memory."""


@dataclass(frozen=True)
class NearPairs:
    pairs: np.ndarray
    """Sorted pairs of indices of texts, as an int64 array of shape (n, 2). The first index of a pair is the smaller
    one."""
    jaccards: np.ndarray
    corrected: frozenset[tuple[int, int]] = frozenset()
    """Pairs that are equal once typos are corrected (`corrections`), at any Jaccard similarity."""


def find_near_pairs(forms: pa.Array, order: np.ndarray, min_similarity: float) -> NearPairs:
    """Return the pairs of distinct texts that are similar: by their Jaccard similarity, or because only typos differ.

    `order` has the indices of the texts to compare, in order of preference, and `min_similarity` is the least Jaccard
    similarity. The result depends only on the set of texts and on this order. In addition to the texts, the computation
    needs 20 MB of memory plus 300 bytes for each text, and the short texts once more as Python strings.
    """
    keys = np.zeros((len(forms), 0), np.uint32)
    if len(order) > 1:
        sizes = pc.binary_length(forms).to_numpy()
        slices = (forms.slice(begin, end - begin) for begin, end in batch_ranges(sizes, BATCH_BYTES))
        keys = np.concatenate([band_keys(compute_shingles(part), min_similarity) for part in slices])
    pairs = np.sort(order[candidate_pairs(keys[order])], axis=1)
    pairs, jaccards = filter_similar_pairs(forms, pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], min_similarity)
    corrected = find_corrected_pairs(forms, order)
    return (
        _with_corrected_pairs(NearPairs(pairs, jaccards), corrected, forms)
        if len(corrected)
        else NearPairs(pairs, jaccards)
    )


def _with_corrected_pairs(near: NearPairs, corrected: np.ndarray, forms: pa.Array) -> NearPairs:
    new = corrected[~np.isin(_pair_keys(corrected, len(forms)), _pair_keys(near.pairs, len(forms)))]
    pairs = np.concatenate((near.pairs, new))
    jaccards = np.concatenate((near.jaccards, jaccard_similarities(forms, new) if len(new) else np.zeros(0)))
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return NearPairs(pairs[order], jaccards[order], frozenset(map(tuple, corrected.tolist())))


def _pair_keys(pairs: np.ndarray, text_count: int) -> np.ndarray:
    """Return a number for each pair. Python tuples of millions of near pairs would take gigabytes of memory."""
    return np.asarray(pairs[:, 0], np.int64) * text_count + pairs[:, 1]
