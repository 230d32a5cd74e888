"""Candidate pairs: texts with a common band key."""

import numpy as np

ANCHORS_PER_BUCKET = 4
"""Number of texts in a bucket with which every later text of the bucket is compared. A bucket contains the texts with
the same band key.

Not all pairs are compared, because thousands of letters made from one template would give millions of pairs. The texts
that come first are preferred anyway. In a bucket of up to five texts, all pairs are compared.
"""
MAX_PAIRS_PER_TEXT = 32
"""Maximum number of texts, over all bands, with which a text is compared. It limits memory to 256 bytes for each
text."""


def candidate_pairs(keys: np.ndarray) -> np.ndarray:
    """Return the pairs of rows with a common band key, as an int64 array of shape (n, 2).

    Each pair occurs once, with the smaller row first, and pairs are sorted by their second row. Each row of `keys` has
    the band keys of one text, and rows must be in order of preference.
    """
    count = max(len(keys), 1)
    pairs = np.zeros(0, np.int64)  # each pair is one number, with the later row in the high digits
    for band in range(keys.shape[1]):
        pairs = np.union1d(pairs, _anchor_pairs(keys[:, band]) @ np.array([1, count]))
        pairs = pairs[_preceding_equal_counts(pairs // count) < MAX_PAIRS_PER_TEXT]
    return np.stack(np.divmod(pairs, count)[::-1], axis=1)


def _anchor_pairs(keys: np.ndarray) -> np.ndarray:
    order = np.argsort(keys, kind="stable")
    place = _preceding_equal_counts(keys[order])
    begin = np.arange(len(keys)) - place
    pairs = [np.zeros((0, 2), np.int64)]
    for anchor in range(ANCHORS_PER_BUCKET):
        later = np.flatnonzero(place > anchor)
        pairs.append(np.stack((order[begin[later] + anchor], order[later]), axis=1))
    return np.concatenate(pairs)


def _preceding_equal_counts(values: np.ndarray) -> np.ndarray:
    places = np.arange(len(values))
    begins = np.append(True, values[1:] != values[:-1])[: len(values)]
    return places - np.maximum.accumulate(np.where(begins, places, 0)) if len(values) else places
