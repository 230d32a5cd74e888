"""Families of synthetic records: a record is removed with the records that it was made from.

A parent whose copy is kept counts as kept, because its content is. A parent that was removed for another reason, such
as a contradiction, an older edition or a text of the test set, takes its children with it.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.records.synthetic import find_descendants
from tasks.stages.data.deduplicate.record_columns import RecordColumns
from tasks.stages.data.deduplicate.verdicts import SYNTHETIC_COPY, Verdict

PARENTS_SCHEMA = pa.schema([("record_id", pa.string()), ("parents", pa.list_(pa.string()))])
"""Arrow schema of the parents of kept synthetic records, by the ids of the records that were kept. Undeclared parents
(`contained_prompts`) are among them."""
COPY_RULES = ("exact_duplicate", "near_duplicate", SYNTHETIC_COPY)
"""Rules by which a record is removed while its content stays in the record that is kept instead."""


class Families:
    """Parents of synthetic records, by positions in the table of records."""

    def __init__(self, records: RecordColumns, parents: Mapping[str, Sequence[str]]) -> None:
        self._records = records
        places = self._places([*parents, *(each for own in parents.values() for each in own)])
        self._parents = {
            places[child]: [places.get(each) for each in own] for child, own in parents.items() if child in places
        }

    def find_orphans(self, verdicts: Sequence[Verdict], orphans: Collection[int]) -> set[int]:
        """Return the positions of synthetic records with a parent that is not kept, `orphans` among them.

        Args:
            verdicts: Verdicts on the records that are not orphans.
            orphans: Positions of records that earlier calls have returned.
        """
        kept = self._kept_parents(verdicts)
        first = {child for child, own in kept.items() if None in own} | set(orphans)
        return first | find_descendants(kept, first)

    def find_undeclared(
        self, contained: Mapping[int, Sequence[int]], verdicts: Sequence[Verdict]
    ) -> dict[int, list[int]]:
        """Return those of the contained records that are no ancestors of a record, by its position."""
        kept = self._kept_parents(verdicts)
        undeclared = {child: set(own) - _ancestors(child, kept) for child, own in contained.items()}
        return {child: sorted(own) for child, own in undeclared.items() if own}

    def parents_table(
        self, verdicts: Sequence[Verdict], keep: np.ndarray, undeclared: Mapping[int, Sequence[int]]
    ) -> pa.Table:
        kept, ids = self._kept_parents(verdicts), self._records.record_id
        rows = {
            ids[child].as_py(): sorted(
                {ids[parent].as_py() for parent in (*own, *undeclared.get(child, ())) if parent is not None}
            )
            for child, own in kept.items()
            if keep[child]
        }
        return pa.table([[*rows], [*rows.values()]], schema=PARENTS_SCHEMA).sort_by("record_id")

    def _kept_parents(self, verdicts: Sequence[Verdict]) -> dict[int, list[int | None]]:
        """Return the records that have the content of the parents, by child; None for a parent whose is gone."""
        kept_instead = _kept_instead(verdicts)
        return {
            child: [None if parent is None else kept_instead.get(parent, parent) for parent in own]
            for child, own in self._parents.items()
        }

    def _places(self, record_ids: Sequence[str]) -> dict[str, int]:
        named = pa.array(sorted(set(record_ids)), pa.string())
        places = pc.index_in(named, value_set=self._records.record_id).to_pylist()
        return {name: place for name, place in zip(named.to_pylist(), places, strict=True) if place is not None}


def _kept_instead(verdicts: Sequence[Verdict]) -> dict[int, int | None]:
    """Return the record that has the content of each removed one; None if no kept record has it."""
    return {
        verdict.record: verdict.other_record if verdict.rule in COPY_RULES else None
        for verdict in verdicts
        if verdict.is_removed
    }


def _ancestors(child: int, parents: Mapping[int, Sequence[int | None]]) -> set[int]:
    found, left = set[int](), [child]
    while left:
        new = {parent for parent in parents.get(left.pop(), ()) if parent is not None} - found
        found |= new
        left += new
    return found
