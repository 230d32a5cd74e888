"""One row of a dataset, from `ingest` on, whatever the source was; and one row of quarantine.

Tables are Parquet, written with fixed settings so that the same rows give the same bytes.
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

KINDS = ("answer", "refuse", "escalate", "clarify")
ORIGINS = ("source", "expert", "synthetic")
SPLITS = ("train", "test", "")

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])

SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),  # keyed by the source's digest; 32 hex digits
        ("source_id", pa.string()),
        ("task", pa.string()),  # the prompt template, a key of params.yaml: prompts
        ("messages", pa.list_(MESSAGE)),  # chat turns without system prompt; the last one is the target
        ("kind", pa.string()),  # one of KINDS
        ("language", pa.string()),  # BCP 47, e.g. en, de
        ("department", pa.string()),
        ("geography", pa.string()),
        ("policy_tags", pa.list_(pa.string())),
        ("effective_from", pa.date32()),
        ("retired_at", pa.date32()),
        ("subjects", pa.list_(pa.string())),  # keyed pseudonyms of the people it is about
        ("origin", pa.string()),  # one of ORIGINS
        ("labelled_by", pa.string()),  # label provenance, as the source says
        ("split", pa.string()),  # fixed by the source: train, test, or empty
    ]
)

QUARANTINE = pa.schema(
    [
        ("source_id", pa.string()),
        ("row", pa.int64()),  # 1-based data row in its source
        ("record_id", pa.string()),  # null where the row never became a record
        ("rule", pa.string()),  # short name, e.g. empty_prompt, exact_duplicate
        ("reason", pa.string()),  # for the data owner; never a raw value of the row
        ("winner", pa.string()),  # record_id that was kept instead, for duplicates, conflicts and old versions
    ]
)


ROW_GROUP = 50_000
"""Rows that a reader has in memory at least."""


def write_table(table: pa.Table, path: Path) -> None:
    """Parquet with zstd and no statistics of writer version or time beyond the library's own constant footer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP, store_schema=False)


def write_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    """As `write_table`, without holding all rows in memory; the row groups are as long as these batches."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd", store_schema=False) as writer:
        for batch in batches:
            writer.write_batch(batch)


def read_table(path: Path) -> pa.Table:
    return pq.read_table(path)
