"""Subjects that synthetic records inherit: the people that their parents are about.

A chain of records in which each has a further parent is about one person more with every link. So that such a chain
fits into memory, subjects are numbers here, and no record may be about more than MAX_SUBJECTS people.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.records.record import read_batches

MAX_SUBJECTS = 1_000
"""Maximum number of people that a synthetic record may be about through its parents."""
_Numbers = npt.NDArray[np.int32]
_NONE: _Numbers = np.array([], np.int32)


class InheritedSubjects:
    """Subjects of the accepted synthetic records, by id."""

    def __init__(self, parents: Mapping[str, Sequence[str]], records: Path) -> None:
        """Inherit subjects along `parents`, in which each record comes after its own parents.

        Args:
            parents: Ids of the parents of each accepted synthetic record.
            records: Parquet file of all records.
        """
        self._numbers: dict[str, int] = {}
        self._by_record: dict[str, _Numbers] = dict(self._read_parents(parents, records))
        self._tokens = list(self._numbers)
        self._children = parents.keys()
        self.excessive: set[str] = set()
        """Ids of the records that would be about more than MAX_SUBJECTS people. Nothing is inherited from them."""
        for child, own in parents.items():
            inherited = [self._by_record.get(each, _NONE) for each in (child, *own)]
            numbers = np.unique(np.concatenate(inherited)) if any(map(len, inherited)) else _NONE
            if len(numbers) > MAX_SUBJECTS:
                self.excessive.add(child)
            elif len(numbers):
                self._by_record[child] = numbers

    def subjects_of(self, record_id: str) -> list[str] | None:
        """Return the subjects of an accepted synthetic record; None for other records, and if there are none."""
        if record_id not in self._children or record_id not in self._by_record:
            return None
        return sorted(self._tokens[number] for number in self._by_record[record_id].tolist())

    def _read_parents(self, parents: Mapping[str, Sequence[str]], records: Path) -> Iterator[tuple[str, _Numbers]]:
        wanted = pa.array(sorted({parent for own in parents.values() for parent in own}), pa.string())
        for batch in read_batches(records, ["record_id", "subjects"]):
            found = batch.filter(pc.is_in(batch["record_id"], wanted))
            for name, tokens in zip(found["record_id"].to_pylist(), found["subjects"].to_pylist(), strict=True):
                if tokens:
                    numbers = [self._numbers.setdefault(token, len(self._numbers)) for token in tokens]
                    yield name, np.array(numbers, np.int32)
