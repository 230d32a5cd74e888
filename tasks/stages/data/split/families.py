"""Synthetic training records that were made from a record that is held out: a test or a validation record.

A model that is trained on them has seen the test, or the records by which its best weights are chosen.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.records.synthetic import find_descendants
from tasks.stages.data.split.partitions import TEST, TRAIN, PartitionAssignment
from tasks.stages.data.split.record_columns import Positions, SplitRecords

PARENT_IN_TEST, PARENT_VALIDATES = "parent_in_test", "parent_validates"
REASONS = {
    PARENT_IN_TEST: "it was made from a record of the test, or has the whole prompt of one in it",
    PARENT_VALIDATES: "it was made from a record that is held out for validation, or has the whole prompt of one in it",
}


def find_leaking_children(
    records: SplitRecords, sides: PartitionAssignment, parents: Mapping[str, list[str]]
) -> dict[str, Positions]:
    """Return the positions of the synthetic training records that come from a held-out record, ascending, by rule.

    Records that `data.test_rows` or `data.train_rows` leaves out count too, so that the training records do not depend
    on these values.

    Args:
        records: Records to divide.
        sides: Partition of each record, before any are drawn.
        parents: Parents of each synthetic record, as `deduplicate` writes them.
    """
    trained = records.is_synthetic & sides.partition_masks[TRAIN]
    found = {}
    for rule, held_out in ((PARENT_IN_TEST, sides.partition_masks[TEST]), (PARENT_VALIDATES, sides.is_validation)):
        first = records.record_id.filter(pa.array(held_out)).to_pylist() if parents else []
        below = pa.array(sorted(find_descendants(parents, first)), pa.string())
        leaking = trained & pc.is_in(records.record_id, value_set=below).to_numpy(zero_copy_only=False)
        found[rule] = np.flatnonzero(leaking)
        trained &= ~leaking
    return found
