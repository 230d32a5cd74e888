"""Reading parts of a table."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.core.records.record import ROW_GROUP_ROWS, read_rows_at, write_table


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_rows_come_in_the_order_asked_for(tmp_path: Path, rows: int) -> None:
    numbers = np.arange(ROW_GROUP_ROWS + 10_000)
    table = pa.table({"number": numbers, "texts": [[f"text {number}"] for number in numbers]})
    write_table(table, tmp_path / "table.parquet")
    places = np.random.default_rng(1).permutation(numbers)[:rows]
    found = read_rows_at(tmp_path / "table.parquet", places)
    assert found["number"].to_pylist() == places.tolist()
    assert found["texts"].to_pylist() == [[f"text {number}"] for number in places]
