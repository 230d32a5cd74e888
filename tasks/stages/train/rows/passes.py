"""A step's rows over workers and forward passes, so that all workers are done at about the same time.

Nothing here changes what a step learns: its gradient is a sum over rows, in whatever passes they are.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tasks.core.params.training import Training

Places = npt.NDArray[np.int64]
"""Which of the step's rows."""


@dataclass(frozen=True, eq=False)
class Passes:
    """The plan of one step."""

    groups: list[Places]
    """What goes through the model at once; a multiple of `at_once`, the last ones perhaps empty."""
    at_once: int
    """Groups of a forward pass: one for each worker, or for the workers that take one together (sequence.py)."""

    @cached_property
    def count(self) -> int:
        """Forward passes of each worker."""
        return len(self.groups) // self.at_once

    def of(self, forward: int) -> list[Places]:
        """[at_once] groups of one forward pass."""
        return self.groups[forward * self.at_once : (forward + 1) * self.at_once]


def plan(lengths: npt.NDArray[np.int64], training: Training, workers: int) -> Passes:
    """`lengths`: [rows of the step] tokens each. No worker takes more than `micro_batch_tokens`, but of a long row."""
    most, at_once = training.micro_batch_tokens * training.sequence_parallel, workers // training.sequence_parallel
    groups = packed(lengths, most, at_once) if training.packed else padded(lengths, most, at_once)
    groups += [np.empty(0, dtype=np.int64)] * (-len(groups) % at_once)
    return Passes(groups, at_once)


def padded(lengths: npt.NDArray[np.int64], most: int, at_once: int) -> list[Places]:
    """Rows of like length together: rows times longest is at most `most`, and as even as so many groups can be."""
    by_length = np.argsort(lengths, kind="stable")
    ordered = lengths[by_length]
    wanted = -(-_groups(ordered, most) // at_once) * at_once
    low, high = 1, most
    while low < high:  # the least limit that still needs no more groups
        middle = (low + high) // 2
        low, high = (low, middle) if _groups(ordered, middle) <= wanted else (middle + 1, high)
    return [by_length[begin:end] for begin, end in _cuts(ordered, low)]


def _cuts(ordered: npt.NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Bounds of groups of ascending lengths, filled in turn up to `most` places."""
    begin = 0
    for place, length in enumerate(ordered.tolist()):
        if place > begin and (place + 1 - begin) * length > most:
            yield begin, place
            begin = place
    yield begin, len(ordered)


def _groups(ordered: npt.NDArray[np.int64], most: int) -> int:
    return sum(1 for _ in _cuts(ordered, most))


def packed(lengths: npt.NDArray[np.int64], most: int, at_once: int) -> list[Places]:
    """Rows into as few sequences of at most `most` tokens as the longest-first rule finds, of like length.

    Each row, the longest first, goes to the shortest sequence (Graham, "Bounds on Multiprocessing Timing Anomalies",
    1969), with `at_once` sequences more until all fit.
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
    """Tokens of a pass, padding included."""
    return int(lengths[group].sum() if is_packed else lengths[group].max(initial=0) * len(group))


def computed(lengths: npt.NDArray[np.int64], passes: Passes, is_packed: bool) -> int:
    """Positions of a step: its tokens, padding, and what workers wait for the one with the longest pass."""
    return sum(
        max(size(lengths, group, is_packed) for group in passes.of(forward)) * passes.at_once
        for forward in range(passes.count)
    )


def waste(lengths: npt.NDArray[np.int64], passes: Passes, is_packed: bool) -> float:
    """Share of positions that hold no token."""
    return 1 - int(lengths.sum()) / computed(lengths, passes, is_packed)
