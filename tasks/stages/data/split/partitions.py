"""Assignment of records to partitions: that which the source fixes, or else one that is drawn for the prompt."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from tasks.stages.data.split.record_columns import Positions, RandomNumbers, SplitRecords

TRAIN, TEST = "train", "test"
NO_RECORD = -1

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sides:
    members: dict[str, Mask]
    fixed_test_record: Positions
    """Position of the test record with the same prompt, for each record that is fixed for training although its prompt
    is in the fixed test set; NO_RECORD for all other records."""
    is_validation: Mask
    """Mask of the training records that are held out for validation, from which no training step learns."""


def assign_sides(records: SplitRecords, test_share: float, validation_share: float = 0) -> Sides:
    """Assign all records to partitions; the records of a group are assigned to the same partition.

    The random number of a group without a fixed partition decides its partition. So the partition does not change with
    other records that are added or removed, and about `test_share` of the prompts are held out. If a fixed test set has
    a prompt, the free records with this prompt join the test partition, and the records with it that are fixed for
    training are removed.

    The training records with the highest numbers are held out for validation: about `validation_share` of the training
    prompts without a fixed partition, and `1 - test_share` times that share of those with a fixed partition.
    """
    train, test = (pc.equal(records.fixed_side, side).to_numpy(zero_copy_only=False) for side in (TRAIN, TEST))
    groups, group = np.unique(records.group_number, return_inverse=True)
    first_test = np.full(len(groups), NO_RECORD)
    last_to_first = np.flatnonzero(test)[::-1]  # NumPy keeps the last of several values that it assigns to one index
    first_test[group[last_to_first]] = last_to_first
    has_train = np.zeros(len(groups), bool)
    has_train[group[train]] = True
    in_test = first_test[group] != NO_RECORD
    drawn = _uniform(records.group_number)
    held_out = ~has_train[group] & (drawn < test_share)
    trains = ~in_test & ~held_out
    return Sides(
        members={TRAIN: trains, TEST: np.where(in_test, ~train, held_out)},
        fixed_test_record=np.where(in_test & train, first_test[group], NO_RECORD),
        is_validation=trains & (drawn >= 1 - validation_share * (1 - test_share)),
    )


def _uniform(lots: RandomNumbers) -> npt.NDArray[np.float64]:
    """Convert random numbers of 64 bits to numbers in [0, 1)."""
    shares: npt.NDArray[np.float64] = (lots >> np.uint64(8)) / 2**56
    return shares
