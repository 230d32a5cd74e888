"""Order of preference, which decides which of several records is kept, with a description for their owners."""

import numpy as np

from tasks.stages.data.deduplicate.record_columns import FIXED_TEST, RecordColumns

PREFERENCE_DESCRIPTION = (
    "every record of a fixed test set; else a record that is not synthetic; then the record whose source has the "
    "higher authority in sources.yaml, then the one that is not retired, then the one with the newer effective_from, "
    "then the one that names the newer edition of its own. Nothing else tells which of several is better: neither its "
    "length nor its place in a file decides, and of those that say the same the one stays whose digest is the "
    "smallest"
)


def preference_order(records: RecordColumns) -> np.ndarray:
    """Return the positions of the records in order of preference, whatever their order in the table.

    If nothing else decides, the record whose turns have the smaller digest is preferred, so neither longer texts nor
    earlier rows have an advantage. Of records with equal turns, the first row is preferred.
    """
    last_is_first = (
        records.ingest_position,
        records.full_text_rank,
        -records.edition_rank,
        -records.effective_day,
        records.is_retired,
        -records.authority,
    )
    return np.lexsort((*last_is_first, records.fixed_partition != FIXED_TEST))
