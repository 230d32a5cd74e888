"""A table that unreviewed code left takes bounded memory, however small its file is."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import InputError
from tasks.core.records import record
from tasks.stages.data.readers import bounded_tables


def write(path: Path, rows: int, length: int) -> pa.Table:
    one = {"record_id": "a", "task": "t", "messages": [{"role": "user", "content": "x" * length}]}
    table = pa.Table.from_pylist([one], record.RECORD_SCHEMA).take([0] * rows)
    record.write_table(table, path)
    return table


@pytest.mark.parametrize("group_rows", [300, 70])
def test_a_plain_table_is_read_as_it_was_written(tmp_path: Path, group_rows: int) -> None:
    """Return a table in several row groups, because pyarrow makes no batch of nested dictionaries of two groups."""
    table = write(tmp_path / "t.parquet", 300, 10)
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=group_rows)
    table = table.select(["task", "messages"])
    read = pa.Table.from_batches(bounded_tables.read_bounded_batches(tmp_path / "t.parquet", ["task", "messages"], 128))
    assert read.to_pylist() == table.to_pylist()


@pytest.mark.attack(rights="commit", stopped="tables of an experiment are measured before their texts are repeated")
@pytest.mark.parametrize(("rows", "length"), [(60, 20_000_000), (300, 1_500_000)])
def test_a_table_that_repeats_a_long_text_is_refused(tmp_path: Path, rows: int, length: int) -> None:
    write(tmp_path / "t.parquet", rows, length)
    assert (tmp_path / "t.parquet").stat().st_size < 100_000
    before = pa.total_allocated_bytes()
    with pytest.raises(InputError, match="unpacks to"):
        for _ in bounded_tables.read_bounded_batches(tmp_path / "t.parquet", ["task", "messages"], 128):
            assert pa.total_allocated_bytes() - before < 2**28
