"""What becomes of records that stand near each other, why, and which other decides it.

    near_test           near-identical to a record of a fixed test set, which nothing takes out
    superseded          an older edition: retired, or older where one of the two says its edition
    near_duplicate      the same question and target
    conflict            the same question, another target, and the other record's precedence is higher
    conflict_undecided  … and the same precedence, where the source of one says to put contradictions aside; or another
                        target than a record has that goes by this rule
    conflict_kept       … and neither source says so: both stay, and their owners see them side by side

Precedence is authority, then in force, then effective date, then the edition that a text names. All but the first rule
are about records of the same task. Prompts are the same question where nothing but slips of typing tells them apart
(`near.tells_apart`). Two that say otherwise, and one a number other than the other, are two questions; of these only an
edition that names itself takes the place of another that does.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import NamedTuple

import numpy as np

from tasks.core.params.data import NearDuplicates
from tasks.stages.data.deduplicate.compared import FIXED_TEST
from tasks.stages.data.deduplicate.near.tells_apart import says_the_same
from tasks.stages.data.deduplicate.near.vocabulary import Uses

SEEN = 64
"""Records with other targets, and other editions, that a record is compared with, for each form near its own: the best
ones."""
UNDECIDED, KEPT = "conflict_undecided", "conflict_kept"
CONTRADICTIONS = ("conflict", UNDECIDED, KEPT)
REASONS = {
    "exact_duplicate": "the same conversation and target as the record kept instead",
    "near_test": "near-identical to a record of a fixed test set",
    "superseded": "an older edition of the record kept instead",
    "near_duplicate": "the same words as the record kept instead but for slips and courtesies, with the same target",
    "conflict": "asks the same as the record kept instead, which has another target and the higher authority or the "
    "newer date",
    UNDECIDED: "asks the same as a record with another target, of the same authority and date, or contradicts records "
    "in dispute: an owner's to decide",
}
"""Of what goes."""


class Item(NamedTuple):
    """A record among those it stands near; fields as in `Compared` and `Asked`."""

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
    answer: int
    form: int
    content: int
    signature: int
    people: int
    marked: bool
    """Says its edition, or is of a source whose dates say it."""
    titled: bool
    """… and not in its target alone."""
    aside: bool

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

    @property
    def goes(self) -> bool:
        return self.rule != KEPT


@dataclass(frozen=True)
class Nearness:
    """How near forms are, and which contents say the same."""

    starts: np.ndarray
    others: np.ndarray
    """Those near form i are others[starts[i]:starts[i + 1]]."""
    jaccards: np.ndarray
    thresholds: NearDuplicates
    texts: Sequence[str]
    """Of contents."""
    uses: Uses
    """Of words."""
    _same: dict[tuple[int, int], bool] = field(default_factory=dict)

    def of(self, form: int) -> Iterator[tuple[int, float]]:
        """The forms at hand that are like a form, itself first."""
        begin, end = self.starts[form : form + 2]
        yield form, 1.0
        yield from zip(self.others[begin:end].tolist(), self.jaccards[begin:end].tolist(), strict=True)

    def near(self, form: int) -> Iterator[tuple[int, float]]:
        """Those of them that are near-identical."""
        return ((other, jaccard) for other, jaccard in self.of(form) if jaccard >= self.thresholds.jaccard)

    def same(self, content: int, other: int) -> bool:
        """Whether two contents say the same."""
        if content == other:
            return True
        pair = (min(content, other), max(content, other))
        if pair not in self._same:
            texts = self.texts[content], self.texts[other]
            self._same[pair] = all(texts) and says_the_same(*texts, self.uses)
        return self._same[pair]

    def contradict(self, item: Item, other: Item, jaccard: float) -> bool:
        least = self.thresholds.conflict_jaccard
        return item.answer != other.answer and least is not None and jaccard >= least


class Shelf:
    """Items that others are compared with, best first."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._asking: dict[tuple[int, int, int], dict[int, dict[int, Item]]] = defaultdict(lambda: defaultdict(dict))
        self._titled: dict[tuple[int, int], list[Item]] = defaultdict(list)
        for item in items:
            self.add(item)

    def add(self, item: Item) -> None:
        """Best first; of those with the same content and target the best alone is kept."""
        self._asking[item.form, item.task, item.signature][item.content].setdefault(item.target, item)
        if item.titled:
            self._titled[item.form, item.task].append(item)

    def asking_the_same(self, item: Item, nearness: Nearness) -> Iterator[tuple[Item, float]]:
        for form, jaccard in nearness.of(item.form):
            for content, there in self._asking.get((form, item.task, item.signature), {}).items():
                if nearness.same(item.content, content):
                    if same := there.get(item.target):
                        yield same, jaccard
                    yield from ((o, jaccard) for o in islice(there.values(), SEEN) if o.target != item.target)

    def editions(self, item: Item, nearness: Nearness) -> Iterator[tuple[Item, float]]:
        """What may be another edition of what `item` says it is one of; about the same people, if any."""
        for form, jaccard in nearness.near(item.form) if item.titled else ():
            for other in islice(self._titled.get((form, item.task), ()), SEEN):
                if other.people == item.people:
                    yield other, jaccard


def judge(items: Sequence[Item], nearness: Nearness) -> Iterator[Verdict]:
    """`items` stand near each other, the best first.

    What a verdict cites as kept is kept, and is itself near the record that goes, never by way of a third.
    """
    tests: dict[int, Item] = {}
    for item in items:
        if item.side == FIXED_TEST:
            tests.setdefault(item.form, item)
    rest = []
    for item in items:
        if item.side == FIXED_TEST:
            continue
        near = ((tests[form], jaccard, "near_test") for form, jaccard in nearness.near(item.form) if form in tests)
        if verdict := _verdict(item, near):
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
        clashes = {item: _in_dispute(item, disputed, peers, nearness) for item in left}
        yield from (verdict for verdict in (*lost.values(), *clashes.values()) if verdict)
        stay = []
        for item, clash in clashes.items():
            if clash:
                disputed.add(item)
            elif verdict := _lost(item, kept, nearness):
                yield verdict
            else:
                kept.add(item)
                stay.append(item)
        yield from filter(None, (_contradicted(item, kept, nearness) for item in stay))


def _lost(item: Item, kept: Shelf, nearness: Nearness) -> Verdict | None:
    """Against the best of those kept that it loses to."""
    same = ((o, jaccard, _rule(o, item, jaccard, nearness)) for o, jaccard in kept.asking_the_same(item, nearness))
    editions = ((o, jaccard, _replaces(o, item)) for o, jaccard in kept.editions(item, nearness))
    return _verdict(item, (*same, *editions))


def _in_dispute(item: Item, disputed: Shelf, peers: Shelf, nearness: Nearness) -> Verdict | None:
    """Against the best of those that it contradicts, none of lower precedence, where a source puts such aside."""
    candidates = [(other, jaccard, True) for other, jaccard in disputed.asking_the_same(item, nearness)]
    candidates += [(o, jaccard, item.aside or o.aside) for o, jaccard in peers.asking_the_same(item, nearness)]
    return _verdict(
        item, ((o, j, UNDECIDED if aside and nearness.contradict(item, o, j) else None) for o, j, aside in candidates)
    )


def _contradicted(item: Item, kept: Shelf, nearness: Nearness) -> Verdict | None:
    """By the best of those that stay beside it."""
    near = kept.asking_the_same(item, nearness)
    return _verdict(item, ((o, j, KEPT if nearness.contradict(item, o, j) else None) for o, j in near))


def _verdict(item: Item, candidates: Iterable[tuple[Item, float, str | None]]) -> Verdict | None:
    """By the best of the others for which there is a rule."""
    ruled = [(other.rank, rule, other.record, jaccard) for other, jaccard, rule in candidates if rule]
    if not ruled:
        return None
    _, rule, other, jaccard = min(ruled)
    return Verdict(item.record, rule, other, jaccard)


def _rule(better: Item, worse: Item, jaccard: float, nearness: Nearness) -> str | None:
    """Of two that ask the same."""
    if better.authority == worse.authority:
        later = _later(better, worse)
        if (worse.retired and (later or not better.retired)) or (later and (better.marked or worse.marked)):
            return "superseded"
    if better.target == worse.target:
        return "near_duplicate"
    decided = better.precedence < worse.precedence
    return "conflict" if decided and nearness.contradict(better, worse, jaccard) else None


def _replaces(better: Item, worse: Item) -> str | None:
    """Of two near-identical texts that both say their edition."""
    return "superseded" if better.authority == worse.authority and _later(better, worse) else None


def _later(better: Item, worse: Item) -> bool:
    return (better.effective, better.version) > (worse.effective, worse.version)
