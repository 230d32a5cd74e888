"""Division of a step's rows into forward passes of workers, which all take about the same time.

It does not change what a step learns, because the gradient is a sum over rows, whichever pass they are in.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tasks.core.params.training import Training

Places = npt.NDArray[np.int64]
"""Indices among the rows of a step."""


@dataclass(frozen=True, eq=False)
class Passes:
    groups: list[Places]
    """Groups of rows, each of which goes through the model at once. Their number is a multiple of `at_once`; the last
    groups may be empty."""
    at_once: int
    """Number of groups in a forward pass: one for each worker, or one for all workers that share a pass
    (sequence.py)."""

    @cached_property
    def count(self) -> int:
        """Number of forward passes of each worker."""
        return len(self.groups) // self.at_once

    def of(self, forward: int) -> list[Places]:
        return self.groups[forward * self.at_once : (forward + 1) * self.at_once]


def plan(lengths: npt.NDArray[np.int64], training: Training, workers: int) -> Passes:
    """Divide the rows of a step, given their lengths in tokens, into forward passes.

    A worker gets at most `micro_batch_tokens` in a pass, unless a single row is longer.
    """
    most, at_once = training.micro_batch_tokens * training.sequence_parallel, workers // training.sequence_parallel
    groups = packed(lengths, most, at_once) if training.packed else padded(lengths, most, at_once)
    groups += [np.empty(0, dtype=np.int64)] * (-len(groups) % at_once)
    return Passes(groups, at_once)


def padded(lengths: npt.NDArray[np.int64], most: int, at_once: int) -> list[Places]:
    """Group rows of similar length: at most `most` tokens a group, padding included, and as even as possible."""
    by_length = np.argsort(lengths, kind="stable")
    ordered = lengths[by_length]
    wanted = -(-_groups(ordered, most) // at_once) * at_once
    low, high = 1, most
    while low < high:  # finds the lowest limit that needs no more groups
        middle = (low + high) // 2
        low, high = (low, middle) if _groups(ordered, middle) <= wanted else (middle + 1, high)
    return [by_length[begin:end] for begin, end in _cuts(ordered, low)]


def _cuts(ordered: npt.NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    begin = 0
    for place, length in enumerate(ordered.tolist()):
        if place > begin and (place + 1 - begin) * length > most:
            yield begin, place
            begin = place
    yield begin, len(ordered)


def _groups(ordered: npt.NDArray[np.int64], most: int) -> int:
    return sum(1 for _ in _cuts(ordered, most))


def packed(lengths: npt.NDArray[np.int64], most: int, at_once: int) -> list[Places]:
    """Pack rows into few sequences of similar length, with at most `most` tokens each.

    Each row, the longest first, goes to the shortest sequence (Graham, "Bounds on Multiprocessing Timing Anomalies",
    1969). If they do not fit, it is repeated with `at_once` more sequences.
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


def size(lengths: npt.NDArray[np.int64], group: Places, is_packed: bool) -> int:
    """Return the number of tokens in a group, with padding."""
    return int(lengths[group].sum() if is_packed else lengths[group].max(initial=0) * len(group))


def computed(lengths: npt.NDArray[np.int64], passes: Passes, is_packed: bool) -> int:
    """Return the number of positions in a step: tokens, padding, and waits for the worker with the longest pass."""
    return sum(
        max(size(lengths, group, is_packed) for group in passes.of(forward)) * passes.at_once
        for forward in range(passes.count)
    )


def waste(lengths: npt.NDArray[np.int64], passes: Passes, is_packed: bool) -> float:
    """Return the share of positions that hold no token."""
    return 1 - int(lengths.sum()) / computed(lengths, passes, is_packed)
