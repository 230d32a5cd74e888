"""Records of `split` as columns without their texts, so that a million records fit into memory."""

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
"""Number of records whose texts are Python strings at the same time."""
APART = -1
"""Cluster number of a record that is in no cluster."""

Lots = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Placed:
    """Records as columns, in the order in which they are drawn.

    The order is that of a digest of seed, source and text. So the order of two records does not change with other
    records that are added or removed, or with the vault's key, from which record ids are derived.
    """

    record_id: pa.Array
    source_id: pa.Array
    kind: pa.Array
    fixed: pa.Array
    """Side to which the source fixes the record: train, test or empty."""
    lot: Lots
    """Random number of the record's group; every group has a different one.

    A group is a cluster, or the records outside of clusters with the same prompt key. The number of a cluster is that
    of its smallest prompt key.
    """
    place: Places
    """Position of the record in its table."""

    def __len__(self) -> int:
        return len(self.record_id)


def read(path: Path, clusters: pa.Table, seed: int) -> Placed:
    """Read the records of a Parquet file.

    `clusters` are the clusters of near-identical prompts that `deduplicate` found; records with the same prompt key are
    in the same cluster.
    """
    table = pq.read_table(path, columns=["record_id", "source_id", "kind", "split"])
    lot, turn = _draws(path, cluster_of(table["record_id"], clusters), seed)
    drawn = pa.table({"turn": turn, "record_id": table["record_id"]})  # texts that differ in tokens only: by id
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
    """Return the cluster number of each record; APART for a record in no cluster."""
    number = clusters["cluster"].combine_chunks().dictionary_encode().indices
    where = pc.index_in(record_id, value_set=clusters["record_id"].combine_chunks())
    return pc.fill_null(number.take(where.combine_chunks()), APART).to_numpy().astype(np.int64)


def lots(keys: Iterable[str], seed: int) -> Lots:
    """Return a random number of 64 bits for each key, which depends on the key and the seed alone.

    One in 40 million datasets with a million keys has two keys with the same number, which then count as one group.
    """
    drawn = (hashlib.sha256(f"{seed}\n{key}".encode()).digest() for key in keys)
    return np.array([int.from_bytes(digest[:8], "big") for digest in drawn], np.uint64)


def _draws(path: Path, cluster: Places, seed: int) -> tuple[Lots, Lots]:
    """Return the random numbers of the records' groups and of the records, in the order of the table."""
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
    # A cluster may have no record left, and its number is then not used.
    shared = lots((smallest.get(number, "") for number in range(cluster.max(initial=APART) + 1)), seed)
    own[inside] = shared[cluster[inside]]
    return own, turn
