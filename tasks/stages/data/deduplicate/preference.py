"""Which of several records is kept, in words that their owner can check."""

import numpy as np

from tasks.stages.data.deduplicate.compared import FIXED_TEST, Compared

WORDS = (
    "every record of a fixed test set; else the record whose source has the higher authority in sources.yaml, then "
    "the one that is not retired, then the one with the newer effective_from, then the one that names the newer "
    "edition of its own. Nothing else tells which of several is better: neither its length nor its place in a file "
    "decides, and of those that say the same the one stays whose digest is the smallest"
)


def order(records: Compared) -> np.ndarray:
    """The records' positions, the best first.

    `whole` ranks by the digest of all turns, so that adding a word, or a row above, favours nothing. Of records whose
    turns are the same to the letter it is the first that is kept, since then place decides nothing but which row is
    cited. Depends on the records, not on the order of their table.
    """
    last_is_first = (
        records.place,
        records.whole,
        -records.version,
        -records.effective,
        records.retired,
        -records.authority,
    )
    return np.lexsort((*last_is_first, records.side != FIXED_TEST))
