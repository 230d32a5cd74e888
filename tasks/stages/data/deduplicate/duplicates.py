"""Exact duplicates: the same task, turns and target, evenly spaced; case counts."""

import numpy as np

from tasks.stages.data.deduplicate.compared import FIXED_TEST, FIXED_TRAIN, FREE, Compared

ABSENT = -1


def winners(records: Compared, order: np.ndarray) -> np.ndarray:
    """For each record the position of the one that is kept: its own, unless it is a duplicate.

    The first in `order` is kept. A record without a side gives way to one that its source has fixed on a side. A fixed
    test set stays whole, since figures on it compare with others' only so, and takes no fixed training record out
    (`near_test` and `split` see to those).
    """
    best = np.full((int(records.whole.max(initial=ABSENT)) + 1, 3), ABSENT)
    last_to_first = order[::-1]  # of several values for one place NumPy keeps the last
    best[records.whole[last_to_first], records.side[last_to_first]] = last_to_first
    mine = best[records.whole]
    test, train, free = mine[:, FIXED_TEST], mine[:, FIXED_TRAIN], mine[:, FREE]
    of_free = np.select([test != ABSENT, train != ABSENT], [test, train], free)
    return np.select(
        [records.side == FIXED_TEST, records.side == FIXED_TRAIN], [np.arange(len(records)), train], of_free
    )
