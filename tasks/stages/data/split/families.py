"""Synthetic training records that were made from a test record. A model that is trained on them has seen the test."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.records.synthetic import find_descendants
from tasks.stages.data.split.partitions import TEST, TRAIN, Mask
from tasks.stages.data.split.record_columns import Positions, SplitRecords

PARENT_IN_TEST = "parent_in_test"


def find_test_children(records: SplitRecords, masks: Mapping[str, Mask], parents: Mapping[str, list[str]]) -> Positions:
    """Return the positions of the synthetic training records that come from a test record, ascending.

    Test records that `data.test_rows` leaves out count too, so that the training records do not depend on its value.

    Args:
        records: Records to divide.
        masks: Mask of each partition's records, before any are drawn.
        parents: Parents of each synthetic record, as `deduplicate` writes them.
    """
    tested = records.record_id.filter(pa.array(masks[TEST])).to_pylist() if parents else []
    below = pa.array(sorted(find_descendants(parents, tested)), pa.string())
    leaking = pc.is_in(records.record_id, value_set=below).to_numpy(zero_copy_only=False)
    return np.flatnonzero(leaking & records.is_synthetic & masks[TRAIN])
