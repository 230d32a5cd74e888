"""Which of several records is kept, in words that their owner can check."""

import numpy as np

from tasks.data.compared import FIXED_TEST, Compared

WORDS = (
    "every record of a fixed test set; else the record whose source has the higher authority in sources.yaml, then "
    "the one that is not retired, then the one with the newer effective_from, then the one that names the higher "
    "version or the later date of its own, then the one with the longer prompt, then the one that comes first in the "
    "sources"
)


def order(records: Compared) -> np.ndarray:
    """The records' positions, the best first. Depends on the records, not on the order of their table."""
    by_text = (records.place, -records.length, -records.version)
    last_is_first = (*by_text, -records.effective, records.retired, -records.authority)
    return np.lexsort((*last_is_first, records.side != FIXED_TEST))
