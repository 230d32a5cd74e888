"""Exact duplicates: records with the same task and turns.

Differences in spaces are ignored; differences in case are not.
"""

import numpy as np

from tasks.stages.data.deduplicate.record_columns import FIXED_TEST, FIXED_TRAIN, NOT_FIXED, RecordColumns

NO_POSITION = -1


def kept_record_positions(records: RecordColumns, order: np.ndarray) -> np.ndarray:
    """Return, for each record, the position of the record that represents it.

    This is its own position, or that of the kept record if it is a duplicate. `order` has the positions in order of
    preference. The first of several duplicates is kept, but one with a fixed partition is preferred to one without. All
    records of a fixed test set are kept, because metrics on an incomplete set are not comparable. Fixed training
    records that duplicate fixed test records are left to the rule `near_test` and to stage `split`.
    """
    best = np.full((int(records.full_text_rank.max(initial=NO_POSITION)) + 1, 3), NO_POSITION)
    last_to_first = order[::-1]  # NumPy keeps the last of several values that it assigns to one index
    best[records.full_text_rank[last_to_first], records.fixed_partition[last_to_first]] = last_to_first
    mine = best[records.full_text_rank]
    test, train, free = mine[:, FIXED_TEST], mine[:, FIXED_TRAIN], mine[:, NOT_FIXED]
    of_free = np.select([test != NO_POSITION, train != NO_POSITION], [test, train], free)
    return np.select(
        [records.fixed_partition == FIXED_TEST, records.fixed_partition == FIXED_TRAIN],
        [np.arange(len(records)), train],
        of_free,
    )
