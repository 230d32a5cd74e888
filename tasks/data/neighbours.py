"""Records that stand near each other, and what becomes of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tasks.data.compared import Compared
from tasks.data.near.groups import components
from tasks.data.near.pairs import NearPairs, near_pairs
from tasks.data.verdicts import Item, Nearness, Verdict, judge
from tasks.params import NearDuplicates


@dataclass(frozen=True)
class Neighbours:
    records: Compared
    order: np.ndarray
    """Positions of the records that are compared, the best first."""
    near: NearPairs
    """Of their forms."""
    conflict: float | None

    def verdicts(self) -> list[Verdict]:
        """On all that go."""
        both_ways = np.concatenate((self.near.pairs, self.near.pairs[:, ::-1]))
        by_form = np.argsort(both_ways[:, 0], kind="stable")
        starts = np.searchsorted(both_ways[by_form, 0], np.arange(len(self.records.forms) + 1))
        jaccards = np.tile(self.near.jaccards, 2)[by_form]
        nearness = Nearness(starts, both_ways[by_form, 1], jaccards, self.conflict)
        return [verdict for group in self.groups(self.order) for verdict in judge(self._items(group), nearness)]

    def groups(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """Of the records at these positions those that hang together, two at least, in the order given."""
        forms = self.records.form[order]
        present = np.zeros(len(self.records.forms), bool)
        present[forms[forms >= 0]] = True
        pairs = self.near.pairs[present[self.near.pairs].all(axis=1)]
        with_form = order[forms >= 0]
        group = components(len(present), pairs)[self.records.form[with_form]]
        by_group = np.argsort(group, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(group[by_group])) + 1, len(group))
        for begin, end in pairwise([0, *ends.tolist()]):
            if end - begin > 1:
                yield with_form[by_group[begin:end]]

    def _items(self, group: np.ndarray) -> list[Item]:
        """`group` in the order of preference."""
        of = self.records
        columns = (of.authority, of.retired, of.effective, of.version, of.side, of.task, of.target, of.form, of.marked)
        values = zip(*(column[group].tolist() for column in columns), strict=True)
        return [
            Item(record, rank, *item) for rank, (record, item) in enumerate(zip(group.tolist(), values, strict=True))
        ]


def find(records: Compared, order: np.ndarray, near: NearDuplicates) -> Neighbours:
    """Among the records at the positions `order`, the best first."""
    forms = records.form[order]
    forms = forms[forms >= 0]
    distinct, first = np.unique(forms, return_index=True)
    by_preference = distinct[np.argsort(first, kind="stable")]
    return Neighbours(records, order, near_pairs(records.forms, by_preference, near.jaccard), near.conflict_jaccard)
