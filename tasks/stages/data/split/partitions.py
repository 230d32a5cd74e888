"""Assignment of records to partitions: the partition that the source fixes, or else one drawn for the prompt."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from tasks.stages.data.split.record_columns import Positions, RandomNumbers, SplitRecords

TRAIN, TEST, DRAW = "train", "test", "draw"
NO_RECORD = -1

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PartitionAssignment:
    partition_masks: dict[str, Mask]
    fixed_test_record: Positions
    """Position of the fixed test record with the same prompt, for each record that its source fixes for training.
    NO_RECORD if there is none, and for all other records."""
    is_validation: Mask
    """Mask of the training records that are held out for validation. No training step uses them."""
    is_calibration: Mask
    """Mask of the training records that are set aside for the confidence of answers. No training step uses them."""


def assign_partitions(
    records: SplitRecords, test_share: float, validation_share: float = 0, calibration_share: float = 0
) -> PartitionAssignment:
    """Assign each record to a partition. Records of the same group are assigned to the same partition.

    A group without a fixed partition is assigned by its random number. So its partition does not change if other
    records are added or removed, and about `test_share` of the prompts are held out for the test.

    If any record is fixed for the test, records without a fixed partition are fixed for training, except those whose
    source is to be drawn. Records that are fixed for training are removed if a fixed test record has the same prompt.
    Records that are to be drawn become test records if a fixed test record has the same prompt.

    The training records with the highest random numbers are held out for validation, except synthetic ones. These are
    about `validation_share` of the training prompts without a fixed partition, and `validation_share * (1 -
    test_share)` of those with a fixed partition. Those with the next highest ones are set aside for calibration, in the
    same proportion of `calibration_share`.
    """
    train, test, draw = (
        pc.equal(records.fixed_partition, value).to_numpy(zero_copy_only=False) for value in (TRAIN, TEST, DRAW)
    )
    if test.any():
        train = ~test & ~draw
    groups, group = np.unique(records.group_number, return_inverse=True)
    first_test = np.full(len(groups), NO_RECORD)
    last_to_first = np.flatnonzero(test)[::-1]  # NumPy keeps the last of several values that it assigns to one index
    first_test[group[last_to_first]] = last_to_first
    has_train = np.zeros(len(groups), bool)
    has_train[group[train]] = True
    in_test = first_test[group] != NO_RECORD
    drawn = _to_unit_interval(records.group_number)
    held_out = ~has_train[group] & (drawn < test_share)
    trains = ~in_test & ~held_out
    own = trains & ~records.is_synthetic
    validation_from = 1 - validation_share * (1 - test_share)
    calibration_from = 1 - (validation_share + calibration_share) * (1 - test_share)
    return PartitionAssignment(
        partition_masks={TRAIN: trains, TEST: np.where(in_test, ~train, held_out)},
        fixed_test_record=np.where(in_test & train, first_test[group], NO_RECORD),
        is_validation=own & (drawn >= validation_from),
        is_calibration=own & (drawn >= calibration_from) & (drawn < validation_from),
    )


def _to_unit_interval(random_numbers: RandomNumbers) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = (random_numbers >> np.uint64(8)) / 2**56
    return shares
