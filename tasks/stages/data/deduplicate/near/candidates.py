"""Band keys to pairs worth a look."""

import numpy as np

ANCHORS = 4
"""A text is compared with the first so many that share a band with it. In a band of up to five that is everybody;
where thousands share one, as the letters of a template do, every pair would be millions, and those ranked first are
the ones to be kept anyway."""
MOST = 32
"""Texts that one is compared with over all bands, the first of them. It bounds memory: 256 bytes a text."""


def candidates(keys: np.ndarray) -> np.ndarray:
    """Pairs (int64, n by 2, the first below the second, sorted by the second, each once) of rows that share a band.

    The rows of `keys` stand in order of preference.
    """
    count = max(len(keys), 1)
    pairs = np.zeros(0, np.int64)  # a pair as one number, the later row leading
    for band in range(keys.shape[1]):
        pairs = np.union1d(pairs, _in_band(keys[:, band]) @ np.array([1, count]))
        pairs = pairs[_place_in_run(pairs // count) < MOST]
    return np.stack(np.divmod(pairs, count)[::-1], axis=1)


def _in_band(keys: np.ndarray) -> np.ndarray:
    """Pairs of an anchor and a later row with the same key."""
    order = np.argsort(keys, kind="stable")
    place = _place_in_run(keys[order])
    begin = np.arange(len(keys)) - place
    pairs = [np.zeros((0, 2), np.int64)]
    for anchor in range(ANCHORS):
        later = np.flatnonzero(place > anchor)
        pairs.append(np.stack((order[begin[later] + anchor], order[later]), axis=1))
    return np.concatenate(pairs)


def _place_in_run(values: np.ndarray) -> np.ndarray:
    """How many equal values stand directly before each."""
    places = np.arange(len(values))
    begins = np.append(True, values[1:] != values[:-1])[: len(values)]
    return places - np.maximum.accumulate(np.where(begins, places, 0)) if len(values) else places
