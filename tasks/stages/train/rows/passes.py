"""Division of a step's rows into forward passes, each of which takes about the same time on all workers.

The division does not change the result of a step: the gradient is a sum over all rows, in any order.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tasks.core.params.training import Training

RowIndices = npt.NDArray[np.int64]
"""Indices of rows within a step."""


@dataclass(frozen=True, eq=False)
class PassPlan:
    groups: list[RowIndices]
    """Groups of rows. Each group is computed in one forward pass, by one worker or by several workers together. The
    number of groups is a multiple of `groups_per_pass`, so the last groups can be empty."""
    groups_per_pass: int
    """Number of groups in a forward pass: the number of workers, divided by the number of workers that share a group
    (model/sequence_parallel.py)."""

    @cached_property
    def count(self) -> int:
        return len(self.groups) // self.groups_per_pass

    def groups_of(self, forward: int) -> list[RowIndices]:
        return self.groups[forward * self.groups_per_pass : (forward + 1) * self.groups_per_pass]


def plan(lengths: npt.NDArray[np.int64], training: Training, workers: int) -> PassPlan:
    """Divide the rows of a step into forward passes.

    Args:
        lengths: Tokens of each row.
        training: Parameters. A worker gets at most `micro_batch_tokens` tokens in a pass, unless a single row is
            longer.
        workers: Number of workers.
    """
    most, at_once = training.micro_batch_tokens * training.sequence_parallel, workers // training.sequence_parallel
    groups = pack_rows(lengths, most, at_once) if training.packed else pad_rows(lengths, most, at_once)
    groups += [np.empty(0, dtype=np.int64)] * (-len(groups) % at_once)
    return PassPlan(groups, at_once)


def pad_rows(lengths: npt.NDArray[np.int64], most: int, at_once: int) -> list[RowIndices]:
    """Divide rows into groups of similar length and size, each with at most `most` tokens including padding."""
    by_length = np.argsort(lengths, kind="stable")
    ordered = lengths[by_length]
    wanted = -(-_groups(ordered, most) // at_once) * at_once
    low, high = 1, most
    while low < high:  # finds the lowest limit that needs no more groups
        middle = (low + high) // 2
        low, high = (low, middle) if _groups(ordered, middle) <= wanted else (middle + 1, high)
    return [by_length[begin:end] for begin, end in _group_ranges(ordered, low)]


def _group_ranges(ordered: npt.NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    begin = 0
    for place, length in enumerate(ordered.tolist()):
        if place > begin and (place + 1 - begin) * length > most:
            yield begin, place
            begin = place
    yield begin, len(ordered)


def _groups(ordered: npt.NDArray[np.int64], most: int) -> int:
    return sum(1 for _ in _group_ranges(ordered, most))


def pack_rows(lengths: npt.NDArray[np.int64], most: int, at_once: int) -> list[RowIndices]:
    """Pack rows into as few sequences of similar length as possible, each with at most `most` tokens.

    The longest row comes first, and each row is appended to the shortest sequence (Graham, "Bounds on Multiprocessing
    Timing Anomalies", 1969). If the rows do not fit, packing starts again with `at_once` more sequences.
    """
    count = max(1, -(-int(lengths.sum()) // (most * at_once))) * at_once
    while True:
        sequences: list[list[int]] = [[] for _ in range(count)]
        filled = [(0, place) for place in range(count)]
        for row in np.argsort(-lengths, kind="stable").tolist():
            tokens, place = heapq.heappop(filled)
            if tokens and tokens + int(lengths[row]) > most:
                break
            sequences[place].append(row)
            heapq.heappush(filled, (tokens + int(lengths[row]), place))
        else:
            return [np.array(rows, dtype=np.int64) for rows in sequences if rows]
        count += at_once


def group_tokens(lengths: npt.NDArray[np.int64], group: RowIndices, is_packed: bool) -> int:
    return int(lengths[group].sum() if is_packed else lengths[group].max(initial=0) * len(group))


def computed_positions(lengths: npt.NDArray[np.int64], passes: PassPlan, is_packed: bool) -> int:
    """Return the number of computed positions in a step, including padding and idle time of workers.

    A worker with a short pass is idle until the longest pass ends.
    """
    return sum(
        max(group_tokens(lengths, group, is_packed) for group in passes.groups_of(forward)) * passes.groups_per_pass
        for forward in range(passes.count)
    )


def padding_share(lengths: npt.NDArray[np.int64], passes: PassPlan, is_packed: bool) -> float:
    return 1 - int(lengths.sum()) / computed_positions(lengths, passes, is_packed)
