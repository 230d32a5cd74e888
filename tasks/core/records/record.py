"""Arrow schemas of records, quarantine and validation rows, and functions that read and write their Parquet tables.

Tables are written with fixed settings, so that the same rows give the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.params.values import AnswerKind

ANSWER_KINDS: tuple[str, ...] = get_args(AnswerKind)
SYNTHETIC, SIMULATED = "synthetic", "simulated"
ORIGINS = ("source", "expert", SYNTHETIC, SIMULATED)

MESSAGE_TYPE = pa.struct([("role", pa.string()), ("content", pa.string())])

RECORD_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),  # keyed digest of source and row, with the vault's key; 32 hex digits
        ("source_id", pa.string()),
        ("task", pa.string()),  # key of `prompts` in params.yaml
        ("messages", pa.list_(MESSAGE_TYPE)),  # chat turns without system prompt; the last one is the target
        ("kind", pa.string()),  # one of KINDS
        ("language", pa.string()),  # BCP 47, e.g. en, de
        ("department", pa.string()),
        ("geography", pa.string()),
        ("policy_tags", pa.list_(pa.string())),
        ("effective_from", pa.date32()),
        ("retired_at", pa.date32()),
        ("subjects", pa.list_(pa.string())),  # keyed pseudonyms of the people that the record is about
        ("origin", pa.string()),  # one of ORIGINS, as its row or `constants.origin` of its source says
        ("labelled_by", pa.string()),  # origin of the label, as the source states it
        ("split", pa.string()),  # train, test, draw or empty, as the source prescribes
    ]
)

QUARANTINE_SCHEMA = pa.schema(
    [
        ("source_id", pa.string()),
        ("row", pa.int64()),  # 1-based data row in its source
        ("record_id", pa.string()),  # null if the row never became a record
        ("rule", pa.string()),  # short name, e.g. empty_prompt, exact_duplicate
        ("reason", pa.string()),  # for the data owner; never a raw value of the row
        ("winner", pa.string()),  # record_id that was kept instead, for duplicates, contradictions and old versions
    ]
)

VALIDATION_SCHEMA = pa.schema([("record_id", pa.string()), ("place", pa.int64())])
"""Arrow schema of the validation rows. They are sorted by `place`, which is the row number in the training table."""

LABEL_FINDINGS_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("source_id", pa.string()),
        ("partition", pa.string()),  # train, test or quarantine
        ("label", pa.string()),
        ("finding", pa.string()),  # not_trained or near_equal
        ("near", pa.string()),  # the more frequent label that the label nearly equals
        ("near_sources", pa.list_(pa.string())),  # sources with a record of that label
    ]
)
"""Arrow schema of the records whose label stage `split` found to be untrained or nearly equal to another one."""

ROW_GROUP_ROWS = 50_000
"""Number of rows in a Parquet row group. The number is fixed, so that the same rows always give the same bytes."""


class TableWriter:
    """Writer that adds tables to a Parquet file one by one.

    The file does not contain timestamps or other values that vary between runs.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema = schema
        self._file = pq.ParquetWriter(path, schema, compression="zstd", store_schema=False)
        self._pending: list[pa.Table] = []
        self._rows = 0

    def write(self, table: pa.Table) -> None:
        self._pending.append(table)
        self._rows += table.num_rows
        while self._rows >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def _flush(self, rows: int) -> None:
        together = pa.concat_tables([self._schema.empty_table(), *self._pending])
        self._file.write_table(together.slice(0, rows).combine_chunks(), row_group_size=ROW_GROUP_ROWS)
        self._pending = [together.slice(rows)]
        self._rows -= rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None and self._rows:
            self._flush(self._rows)
        self._file.close()


def write_table(table: pa.Table, path: Path) -> None:
    with TableWriter(path, table.schema) as file:
        file.write(table)


def write_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    with TableWriter(path, schema) as file:
        for part in batches:
            file.write(pa.Table.from_batches([part]))


SMALL_BATCH_ROWS = 128
"""Number of rows to read at once from a file that a run's own code wrote. It is small, because the texts in such a file
can have any length."""


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    return pq.read_table(path, columns=None if columns is None else list(columns))


def read_batches(path: Path, columns: Sequence[str] | None = None, rows: int = 10_000) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file in order, in batches of at most `rows` rows, without loading the whole file."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=rows, columns=None if columns is None else list(columns))


def read_rows_at(path: Path, positions: npt.NDArray[np.int64]) -> pa.Table:
    """Return the rows with the given indices, counted from 0, in the given order, without loading the whole file."""
    wanted = np.sort(positions)
    parts, begin = [], 0
    for batch in read_batches(path):
        low, high = np.searchsorted(wanted, [begin, begin + len(batch)])
        parts.append(batch.take(pa.array(wanted[low:high] - begin)))
        begin += len(batch)
    return pa.Table.from_batches(parts).take(pa.array(np.searchsorted(wanted, positions)))
