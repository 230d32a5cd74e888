"""Provenance of synthetic records, artefacts/ingest/synthetic.parquet: generator, prompt and parents of each.

The table is beside the records, so that their schema and the files of earlier runs stay as they are.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Key = TypeVar("Key", str, int)
SYNTHETIC_FILE = "synthetic.parquet"
SYNTHETIC_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("source_id", pa.string()),
        ("generator", pa.string()),  # name and version of the model or script
        ("generator_prompt", pa.string()),  # text without personal data, or SHA-256 in hex
        ("parents", pa.list_(pa.string())),  # ids of the records that it was made from; of a source's table: as written
    ]
)


def read_parents(path: Path) -> dict[str, list[str]]:
    """Return the parents of each synthetic record by id; empty for a run of an earlier version, which has no table."""
    if not path.exists():
        return {}
    table = pq.read_table(path, columns=["record_id", "parents"])
    return dict(zip(table["record_id"].to_pylist(), table["parents"].to_pylist(), strict=True))


class Provenance(NamedTuple):
    generator: str
    generator_prompt: str
    parents: list[str]
    """Ids of the records that it was made from."""


def read_provenance(path: Path, record_id: str) -> Provenance | None:
    """Return the provenance of a record; None if it is not synthetic."""
    if not path.exists():
        return None
    rows = pq.read_table(path, columns=list(Provenance._fields), filters=pc.field("record_id") == record_id).to_pylist()
    return Provenance(**rows[0]) if rows else None


def find_descendants(parents: Mapping[Key, Iterable[Key | None]], records: Collection[Key]) -> set[Key]:
    """Return the keys of all records that were made from the given records, directly or through other records."""
    children = defaultdict[Key | None, list[Key]](list)
    for child, own in parents.items():
        for parent in own:
            children[parent].append(child)
    found, left = set[Key](), list(records)
    while left:
        new = [child for child in children[left.pop()] if child not in found]
        found.update(new)
        left += new
    return found
