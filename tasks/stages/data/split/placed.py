"""What `split` knows of each record: a column a property, so that a million records fit into memory."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.core.record import batches
from tasks.stages.data.conversations import prompt_keys, wholes
from tasks.stages.data.protect.placeholders import without_values

BATCH = 10_000
"""Records whose texts are Python's at the same time."""
APART = -1
"""In no cluster."""

Lots = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Placed:
    """The records in the order in which they are drawn: by a digest of the seed, the source and the text, so that what
    comes or goes beside a record changes nothing, nor does the vault's key, of which its id is made."""

    record_id: pa.Array
    source_id: pa.Array
    kind: pa.Array
    fixed: pa.Array
    """train, test or empty, as the source says."""
    lot: Lots
    """The same for the records of a group and for no others. A group is a cluster, or a prompt key outside of them; a
    cluster's lot is that of its smallest prompt key."""
    place: Places
    """In their table."""

    def __len__(self) -> int:
        return len(self.record_id)


def read(path: Path, clusters: pa.Table, seed: int) -> Placed:
    """Of the records in a Parquet file. `clusters` are the near-identical prompts that `deduplicate` found; records
    with the same prompt key are in the same one."""
    table = pq.read_table(path, columns=["record_id", "source_id", "kind", "split"])
    lot, turn = _draws(path, cluster_of(table["record_id"], clusters), seed)
    drawn = pa.table({"turn": turn, "record_id": table["record_id"]})  # equal texts, whomever they name, go by their id
    order = pc.sort_indices(drawn, sort_keys=[(name, "ascending") for name in drawn.column_names])
    place = order.to_numpy().astype(np.int64)
    return Placed(
        record_id=table["record_id"].combine_chunks().take(order),
        source_id=table["source_id"].combine_chunks().take(order),
        kind=table["kind"].combine_chunks().take(order),
        fixed=table["split"].combine_chunks().take(order),
        lot=lot[place],
        place=place,
    )


def cluster_of(record_id: pa.ChunkedArray, clusters: pa.Table) -> Places:
    """A number for the cluster of each record, or APART."""
    number = clusters["cluster"].combine_chunks().dictionary_encode().indices
    where = pc.index_in(record_id, value_set=clusters["record_id"].combine_chunks())
    return pc.fill_null(number.take(where.combine_chunks()), APART).to_numpy().astype(np.int64)


def lots(keys: Iterable[str], seed: int) -> Lots:
    """64 bits that each key draws, by the key and the seed alone.

    That two of a million keys draw the same happens once in 40 million datasets; they would then count as one group.
    """
    drawn = (hashlib.sha256(f"{seed}\n{key}".encode()).digest() for key in keys)
    return np.array([int.from_bytes(digest[:8], "big") for digest in drawn], np.uint64)


def _draws(path: Path, cluster: Places, seed: int) -> tuple[Lots, Lots]:
    """The lots of the records' groups, and the records' own, in the order of the table."""
    own, turn = np.empty((2, len(cluster)), np.uint64)
    smallest: dict[int, str] = {}
    begin = 0
    for batch in batches(path, ["source_id", "messages"], BATCH):
        keys, texts = prompt_keys(batch["messages"]), map(without_values, wholes(batch["messages"]))
        there = slice(begin, begin + len(keys))
        own[there] = lots(keys, seed)
        turn[there] = lots(map("\n".join, zip(batch["source_id"].to_pylist(), texts, strict=True)), seed)
        for number, key in zip(cluster[there].tolist(), keys, strict=True):
            smallest[number] = min(key, smallest.get(number, key))
        begin += len(keys)
    inside = cluster != APART
    # A cluster may have lost its records since; nobody asks for its lot.
    shared = lots((smallest.get(number, "") for number in range(cluster.max(initial=APART) + 1)), seed)
    own[inside] = shared[cluster[inside]]
    return own, turn
