"""Band keys to pairs worth a look."""

import numpy as np

ANCHORS = 16
"""A text is compared with the first so many that share a band with it. In a band of fewer that is everybody; where
thousands share one, as the letters of a template do, every pair would be millions, and those ranked first are the ones
to be kept anyway."""


def candidates(keys: np.ndarray) -> np.ndarray:
    """Pairs (int64, n by 2, the first below the second, sorted, each once) of rows that share a band.

    The rows of `keys` stand in order of preference. Takes memory for one band and for the pairs.
    """
    count = max(len(keys), 1)
    found = np.zeros(0, np.int64)  # a pair as one number
    for band in range(keys.shape[1]):
        found = np.union1d(found, _in_band(keys[:, band]) @ np.array([count, 1]))
    return np.stack(np.divmod(found, count), axis=1)


def _in_band(keys: np.ndarray) -> np.ndarray:
    """Pairs of an anchor and a later row with the same key."""
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.append(True, keys[order][1:] != keys[order][:-1])) if len(keys) else order
    sizes = np.diff(np.append(begins, len(keys)))
    begin = np.repeat(begins, sizes)  # of the run that each row is in
    place = np.arange(len(keys)) - begin
    pairs = [
        np.stack((order[begin[later] + anchor], order[later]), axis=1)
        for anchor in range(ANCHORS)
        if len(later := np.flatnonzero(place > anchor))
    ]
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)
