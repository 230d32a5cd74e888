"""Exact duplicates: records with the same task, turns and target, apart from spaces; case matters."""

import numpy as np

from tasks.stages.data.deduplicate.record_columns import FIXED_TEST, FIXED_TRAIN, FREE, RecordColumns

ABSENT = -1


def winners(records: RecordColumns, order: np.ndarray) -> np.ndarray:
    """Return for each record the position of the record that is kept: its own, unless it is a duplicate.

    The first of several duplicates in `order` is kept, but a record with a fixed partition is preferred to one without.
    All records of a fixed test set are kept, because metrics on an incomplete set are not comparable. Fixed test
    records do not remove fixed training records here; the rule `near_test` and stage `split` do.
    """
    best = np.full((int(records.full_text_rank.max(initial=ABSENT)) + 1, 3), ABSENT)
    last_to_first = order[::-1]  # NumPy keeps the last of several values that it assigns to one index
    best[records.full_text_rank[last_to_first], records.side[last_to_first]] = last_to_first
    mine = best[records.full_text_rank]
    test, train, free = mine[:, FIXED_TEST], mine[:, FIXED_TRAIN], mine[:, FREE]
    of_free = np.select([test != ABSENT, train != ABSENT], [test, train], free)
    return np.select(
        [records.side == FIXED_TEST, records.side == FIXED_TRAIN], [np.arange(len(records)), train], of_free
    )
