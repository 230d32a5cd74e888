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
    def pass_count(self) -> int:
        return len(self.groups) // self.groups_per_pass

    def groups_of_pass(self, forward: int) -> list[RowIndices]:
        return self.groups[forward * self.groups_per_pass : (forward + 1) * self.groups_per_pass]


def plan_passes(lengths: npt.NDArray[np.int64], training: Training, workers: int) -> PassPlan:
    """Divide the rows of a step into forward passes.

    Args:
        lengths: Number of tokens in each row.
        training: Parameters of the training run. A worker gets at most `micro_batch_tokens` tokens in a pass, unless a
            single row is longer.
        workers: Number of workers.
    """
    most, at_once = training.micro_batch_tokens * training.sequence_parallel, workers // training.sequence_parallel
    groups = (
        pack_rows(lengths, most, at_once) if training.uses_packed_layout else group_padded_rows(lengths, most, at_once)
    )
    groups += [np.empty(0, dtype=np.int64)] * (-len(groups) % at_once)
    return PassPlan(groups, at_once)


def group_padded_rows(lengths: npt.NDArray[np.int64], max_tokens: int, groups_per_pass: int) -> list[RowIndices]:
    """Divide rows into groups of similar length and size, each with at most `max_tokens` tokens including padding."""
    by_length = np.argsort(lengths, kind="stable")
    ordered = lengths[by_length]
    wanted = -(-_count_groups(ordered, max_tokens) // groups_per_pass) * groups_per_pass
    low, high = 1, max_tokens
    while low < high:  # finds the lowest limit that needs no more groups
        middle = (low + high) // 2
        low, high = (low, middle) if _count_groups(ordered, middle) <= wanted else (middle + 1, high)
    return [by_length[begin:end] for begin, end in _group_ranges(ordered, low)]


def _group_ranges(ordered: npt.NDArray[np.int64], max_tokens: int) -> Iterator[tuple[int, int]]:
    begin = 0
    for place, length in enumerate(ordered.tolist()):
        if place > begin and (place + 1 - begin) * length > max_tokens:
            yield begin, place
            begin = place
    yield begin, len(ordered)


def _count_groups(ordered: npt.NDArray[np.int64], max_tokens: int) -> int:
    return sum(1 for _ in _group_ranges(ordered, max_tokens))


def pack_rows(lengths: npt.NDArray[np.int64], max_tokens: int, groups_per_pass: int) -> list[RowIndices]:
    """Pack rows into few sequences of similar length, each with at most `max_tokens` tokens.

    The number of sequences is a multiple of `groups_per_pass`. Rows are placed longest first, each in the sequence that
    is shortest so far (Graham, "Bounds on Multiprocessing Timing Anomalies", 1969). If a row does not fit, packing
    starts again with `groups_per_pass` more sequences.
    """
    count = max(1, -(-int(lengths.sum()) // (max_tokens * groups_per_pass))) * groups_per_pass
    while True:
        sequences: list[list[int]] = [[] for _ in range(count)]
        filled = [(0, place) for place in range(count)]
        for row in np.argsort(-lengths, kind="stable").tolist():
            tokens, place = heapq.heappop(filled)
            if tokens and tokens + int(lengths[row]) > max_tokens:
                break
            sequences[place].append(row)
            heapq.heappush(filled, (tokens + int(lengths[row]), place))
        else:
            return [np.array(rows, dtype=np.int64) for rows in sequences if rows]
        count += groups_per_pass


def count_group_tokens(lengths: npt.NDArray[np.int64], group: RowIndices, is_packed: bool) -> int:
    return int(lengths[group].sum() if is_packed else lengths[group].max(initial=0) * len(group))


def count_computed_positions(lengths: npt.NDArray[np.int64], passes: PassPlan, is_packed: bool) -> int:
    """Return the number of positions that are computed in a step. Padding and idle time of workers count too.

    A worker with a short pass is idle until the longest pass ends.
    """
    return sum(
        max(count_group_tokens(lengths, group, is_packed) for group in passes.groups_of_pass(forward))
        * passes.groups_per_pass
        for forward in range(passes.pass_count)
    )


def padding_share(lengths: npt.NDArray[np.int64], passes: PassPlan, is_packed: bool) -> float:
    return 1 - int(lengths.sum()) / count_computed_positions(lengths, passes, is_packed)
