"""Which of the records that stand near each other go, why, and for which other.

    near_test           near-identical to a record of a fixed test set, which nothing takes out
    superseded          an older version: retired, or older where one of the two says its version
    near_duplicate      the same target
    conflict            another target, and the other record's precedence is higher
    conflict_undecided  another target, and the same precedence; or another than a record has that goes by this rule

Precedence is authority, then in force, then effective date, then the version that a text names. All but the first rule
are about records of the same task.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import NamedTuple

import numpy as np

from tasks.data.compared import FIXED_TEST

SEEN = 64
"""Records with other targets that a record is compared with, for each form near its own: the best ones. More stand
there only where conflicts are not looked for."""
UNDECIDED = "conflict_undecided"
REASONS = {
    "exact_duplicate": "the same conversation and target as the record kept instead",
    "near_test": "near-identical to a record of a fixed test set",
    "superseded": "an older version of the record kept instead",
    "near_duplicate": "near-identical to the record kept instead, with the same target",
    "conflict": "near-identical to the record kept instead, which has another target and the higher authority or the "
    "newer date",
    UNDECIDED: "near-identical to a record with another target, of the same authority and date, or "
    "contradicts records in dispute: an owner's to decide",
}


class Item(NamedTuple):
    """A record among those it stands near; fields as in `Compared`."""

    record: int
    rank: int
    """Its place in the order of preference."""
    authority: int
    retired: bool
    effective: int
    version: int
    side: int
    task: int
    target: int
    form: int
    marked: bool

    @property
    def precedence(self) -> tuple[int, bool, int, int]:
        """Smaller is higher."""
        return -self.authority, self.retired, -self.effective, -self.version


class Verdict(NamedTuple):
    record: int
    rule: str
    other: int
    """The record kept instead; where nothing decides, one that it contradicts."""
    jaccard: float


@dataclass(frozen=True)
class Nearness:
    """How near forms are."""

    starts: np.ndarray
    others: np.ndarray
    """Those near form i are others[starts[i]:starts[i + 1]]."""
    jaccards: np.ndarray
    conflict: float | None
    """Prompts with other targets contradict each other from this Jaccard on; None: never."""

    def of(self, form: int) -> Iterator[tuple[int, float]]:
        """The forms near a form, itself first."""
        begin, end = self.starts[form : form + 2]
        yield form, 1.0
        yield from zip(self.others[begin:end].tolist(), self.jaccards[begin:end].tolist(), strict=True)

    def contradict(self, one: Item, other: Item, jaccard: float) -> bool:
        return one.target != other.target and self.conflict is not None and jaccard >= self.conflict


class Shelf:
    """Items that others are compared with, the best of each form, task and target."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._best: dict[tuple[int, int], dict[int, Item]] = defaultdict(dict)
        for item in items:
            self.add(item)

    def add(self, item: Item) -> None:
        """Best first."""
        self._best[item.form, item.task].setdefault(item.target, item)

    def near(self, item: Item, nearness: Nearness) -> Iterator[tuple[Item, float]]:
        """Those of the same task near `item`."""
        for form, jaccard in nearness.of(item.form):
            there = self._best.get((form, item.task), {})
            if same := there.get(item.target):
                yield same, jaccard
            yield from ((other, jaccard) for other in islice(there.values(), SEEN) if other.target != item.target)


def judge(items: Sequence[Item], nearness: Nearness) -> Iterator[Verdict]:
    """Verdicts on those that go. `items` stand near each other, the best first.

    What a verdict cites as kept is kept, and is itself near the record that goes, never by way of a third.
    """
    tests = Shelf(item for item in items if item.side == FIXED_TEST)
    tasks = sorted({item.task for item in items})
    rest = []
    for item in items:
        if item.side == FIXED_TEST:
            continue
        near = (found for task in tasks for found in tests.near(item._replace(task=task), nearness))
        if verdict := _verdict(item, ((other, jaccard, "near_test") for other, jaccard in near)):
            yield verdict
        else:
            rest.append(item)
    yield from _settle(rest, nearness)


def _settle(items: Sequence[Item], nearness: Nearness) -> Iterator[Verdict]:
    """Level by level of precedence, so that what is kept on a higher one stays kept."""
    kept, disputed = Shelf(), Shelf()
    for _, level in groupby(items, key=lambda item: item.precedence):
        lost = {item: _lost(item, kept, nearness) for item in level}
        left = [item for item, verdict in lost.items() if verdict is None]
        peers = Shelf(left)
        clashes = {item: _clash(item, (disputed, peers), nearness) for item in left}
        yield from (verdict for verdict in (*lost.values(), *clashes.values()) if verdict)
        for item, clash in clashes.items():
            if clash:
                disputed.add(item)
            elif verdict := _lost(item, kept, nearness):
                yield verdict
            else:
                kept.add(item)


def _lost(item: Item, kept: Shelf, nearness: Nearness) -> Verdict | None:
    """Against the best of those kept that it loses to."""
    return _verdict(
        item,
        ((better, jaccard, _rule(better, item, jaccard, nearness)) for better, jaccard in kept.near(item, nearness)),
    )


def _clash(item: Item, shelves: Sequence[Shelf], nearness: Nearness) -> Verdict | None:
    """Against the best of those with another target, where none of them has a lower precedence."""
    near = (found for shelf in shelves for found in shelf.near(item, nearness))
    return _verdict(
        item,
        ((other, jaccard, UNDECIDED if nearness.contradict(item, other, jaccard) else None) for other, jaccard in near),
    )


def _verdict(item: Item, found: Iterable[tuple[Item, float, str | None]]) -> Verdict | None:
    """By the best of the others for which there is a rule."""
    ruled = [(other.rank, rule, other.record, jaccard) for other, jaccard, rule in found if rule]
    if not ruled:
        return None
    _, rule, other, jaccard = min(ruled)
    return Verdict(item.record, rule, other, jaccard)


def _rule(better: Item, worse: Item, jaccard: float, nearness: Nearness) -> str | None:
    if _revises(better, worse):
        return "superseded"
    if better.target == worse.target:
        return "near_duplicate"
    return "conflict" if nearness.contradict(better, worse, jaccard) else None


def _revises(better: Item, worse: Item) -> bool:
    """Whether one is a version of the other that came later or is still in force."""
    later = (better.effective, better.version) > (worse.effective, worse.version)
    retired = worse.retired and (later or not better.retired)
    return better.authority == worse.authority and (retired or (later and (better.marked or worse.marked)))
