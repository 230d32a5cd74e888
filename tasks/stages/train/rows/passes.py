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
    """What goes through the model at once; a multiple of `workers`, the last ones perhaps empty."""
    workers: int

    @cached_property
    def count(self) -> int:
        """Forward passes of each worker."""
        return len(self.groups) // self.workers

    def of(self, forward: int) -> list[Places]:
        """[workers] groups of one forward pass."""
        return self.groups[forward * self.workers : (forward + 1) * self.workers]


def plan(lengths: npt.NDArray[np.int64], training: Training, workers: int) -> Passes:
    """`lengths`: [rows of the step] tokens each. No pass has more than `micro_batch_tokens`, but for one long row."""
    most = training.micro_batch_tokens
    groups = packed(lengths, most, workers) if training.packed else padded(lengths, most, workers)
    groups += [np.empty(0, dtype=np.int64)] * (-len(groups) % workers)
    return Passes(groups, workers)


def padded(lengths: npt.NDArray[np.int64], most: int, workers: int) -> list[Places]:
    """Rows of like length together: rows times longest is at most `most`, and as even as so many groups can be."""
    by_length = np.argsort(lengths, kind="stable")
    ordered = lengths[by_length]
    wanted = -(-_groups(ordered, most) // workers) * workers
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


def packed(lengths: npt.NDArray[np.int64], most: int, workers: int) -> list[Places]:
    """Rows into as few sequences of at most `most` tokens as the longest-first rule finds, of like length.

    Each row, the longest first, goes to the shortest sequence (Graham, "Bounds on Multiprocessing Timing Anomalies",
    1969), with one sequence a worker more until all fit.
    """
    count = max(1, -(-int(lengths.sum()) // (most * workers))) * workers
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
        count += workers


def size(lengths: npt.NDArray[np.int64], group: Places, is_packed: bool) -> int:
    """Tokens of a pass, padding included."""
    return int(lengths[group].sum() if is_packed else lengths[group].max(initial=0) * len(group))


def computed(lengths: npt.NDArray[np.int64], passes: Passes, is_packed: bool) -> int:
    """Positions of a step: its tokens, padding, and what workers wait for the one with the longest pass."""
    return sum(
        max(size(lengths, group, is_packed) for group in passes.of(forward)) * passes.workers
        for forward in range(passes.count)
    )


def waste(lengths: npt.NDArray[np.int64], passes: Passes, is_packed: bool) -> float:
    """Share of positions that hold no token."""
    return 1 - int(lengths.sum()) / computed(lengths, passes, is_packed)
