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

from tasks.core.records.record import SYNTHETIC, read_batches
from tasks.stages.data.conversations import full_texts, prompt_keys
from tasks.stages.data.protect.placeholders import reduce_placeholders

BATCH = 10_000
NO_CLUSTER = -1

RandomNumbers = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SplitRecords:
    """Records as columns, in the order in which they are drawn.

    They are sorted by a digest of seed, source and text. So the order of two records depends neither on other records
    nor on the vault's key, from which record ids are derived.
    """

    record_id: pa.Array
    source_id: pa.Array
    kind: pa.Array
    fixed_partition: pa.Array
    """Partition to which the source fixes the record: train, test, draw or empty (`Source.split`)."""
    is_synthetic: npt.NDArray[np.bool_]
    group_number: RandomNumbers
    """Random number of the record's group, different for each group.

    A group is a cluster of near-identical prompts or, outside of clusters, the records with the same prompt key. The
    number of a cluster is that of its smallest prompt key.
    """
    table_position: Positions

    def __len__(self) -> int:
        return len(self.record_id)


def read_split_records(path: Path, clusters: pa.Table, seed: int) -> SplitRecords:
    """Read the records of a Parquet file as columns.

    `clusters` are the clusters of near-identical prompts that `deduplicate` found. Records with the same prompt key are
    in the same cluster.
    """
    table = pq.read_table(path, columns=["record_id", "source_id", "kind", "split", "origin"])
    group_numbers, turn = _draw_random_numbers(path, cluster_numbers(table["record_id"], clusters), seed)
    drawn = pa.table({"turn": turn, "record_id": table["record_id"]})  # texts that differ in tokens only: by id
    order = pc.sort_indices(drawn, sort_keys=[(name, "ascending") for name in drawn.column_names])
    place = order.to_numpy().astype(np.int64)
    return SplitRecords(
        record_id=table["record_id"].combine_chunks().take(order),
        source_id=table["source_id"].combine_chunks().take(order),
        kind=table["kind"].combine_chunks().take(order),
        fixed_partition=table["split"].combine_chunks().take(order),
        is_synthetic=pc.equal(table["origin"].combine_chunks().take(order), SYNTHETIC).to_numpy(zero_copy_only=False),
        group_number=group_numbers[place],
        table_position=place,
    )


def cluster_numbers(record_id: pa.ChunkedArray, clusters: pa.Table) -> Positions:
    number = clusters["cluster"].combine_chunks().dictionary_encode().indices
    where = pc.index_in(record_id, value_set=clusters["record_id"].combine_chunks())
    return pc.fill_null(number.take(where.combine_chunks()), NO_CLUSTER).to_numpy().astype(np.int64)


def derive_random_numbers(keys: Iterable[str], seed: int) -> RandomNumbers:
    """Return a random number of 64 bits for each key. It depends only on the key and the seed.

    Two keys with the same number count as one group. For a million keys, the probability of this is one in 40 million.
    """
    drawn = (hashlib.sha256(f"{seed}\n{key}".encode()).digest() for key in keys)
    return np.array([int.from_bytes(digest[:8], "big") for digest in drawn], np.uint64)


def _draw_random_numbers(path: Path, cluster: Positions, seed: int) -> tuple[RandomNumbers, RandomNumbers]:
    own, turn = np.empty((2, len(cluster)), np.uint64)
    smallest: dict[int, str] = {}
    begin = 0
    for batch in read_batches(path, ["source_id", "messages"], BATCH):
        keys, texts = prompt_keys(batch["messages"]), map(reduce_placeholders, full_texts(batch["messages"]))
        positions = slice(begin, begin + len(keys))
        own[positions] = derive_random_numbers(keys, seed)
        turn[positions] = derive_random_numbers(
            map("\n".join, zip(batch["source_id"].to_pylist(), texts, strict=True)), seed
        )
        for number, key in zip(cluster[positions].tolist(), keys, strict=True):
            smallest[number] = min(key, smallest.get(number, key))
        begin += len(keys)
    inside = cluster != NO_CLUSTER
    # A cluster may have no record left, and its number is then not used.
    shared = derive_random_numbers(
        (smallest.get(number, "") for number in range(cluster.max(initial=NO_CLUSTER) + 1)), seed
    )
    own[inside] = shared[cluster[inside]]
    return own, turn
