"""Which side of the split a record stands on: as its source fixed it, else by its prompt's lot."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from tasks.stages.data.split.placed import Lots, Placed, Places

TRAIN, TEST = "train", "test"
NONE = -1
"""No record."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sides:
    """Of the records of `Placed`, in their order."""

    members: dict[str, Mask]
    """By side, which records stand there."""
    winner: Places
    """Of a record fixed for training whose prompt is in the fixed test set: the test record; else NONE."""
    validates: Mask
    """Of the training side: no step learns from it."""


def assign(records: Placed, test_share: float, validation_share: float = 0) -> Sides:
    """Sides for all records; those of a group get the same one.

    A prompt without a fixed side goes by its own lot (of a cluster the smallest prompt's): it keeps its side whatever
    comes or goes beside it, and about `test_share` of the prompts are held out. A prompt in a fixed test set draws free
    records to it and shuts fixed training records out.

    Of the training side the highest lots validate: about `validation_share` of the prompts without a fixed side, and
    `1 - test_share` times that share of those with one.
    """
    train, test = (pc.equal(records.fixed, side).to_numpy(zero_copy_only=False) for side in (TRAIN, TEST))
    groups, group = np.unique(records.lot, return_inverse=True)
    first_test = np.full(len(groups), NONE)
    last_to_first = np.flatnonzero(test)[::-1]  # of several values for one place NumPy keeps the last
    first_test[group[last_to_first]] = last_to_first
    has_train = np.zeros(len(groups), bool)
    has_train[group[train]] = True
    in_test = first_test[group] != NONE
    drawn = _uniform(records.lot)
    held_out = ~has_train[group] & (drawn < test_share)
    trains = ~in_test & ~held_out
    return Sides(
        members={TRAIN: trains, TEST: np.where(in_test, ~train, held_out)},
        winner=np.where(in_test & train, first_test[group], NONE),
        validates=trains & (drawn >= 1 - validation_share * (1 - test_share)),
    )


def _uniform(lots: Lots) -> npt.NDArray[np.float64]:
    """Lots as numbers in [0, 1)."""
    shares: npt.NDArray[np.float64] = (lots >> np.uint64(8)) / 2**56
    return shares
