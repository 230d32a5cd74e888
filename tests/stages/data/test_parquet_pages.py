"""The headers of pages say what a column unpacks to, whoever wrote them and whatever they are."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.stages.data.readers import parquet_pages, parquet_sizes
from tests.stages.data.hostile import deltas, turns
from tests.stages.data.test_readers import refused

TABLE = pa.table(
    {
        "text": [f"message {number}" for number in range(50_000)],
        "label": ["a", "b"] * 25_000,
        "turns": [[{"role": "user", "content": f"words {number}"}] * (number % 3) for number in range(50_000)],
    }
)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"data_page_version": "2.0"},
        {"compression": "none", "write_page_checksum": True},
        {"compression": "zstd", "write_page_index": True, "data_page_size": 1_000},
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
    ],
    ids=["v1", "v2", "checksums", "small pages", "deltas"],
)
def test_pages_are_counted_as_their_writer_wrote_them(how: dict[str, Any]) -> None:
    file = io.BytesIO()
    pq.write_table(TABLE, file, row_group_size=20_000, **how)
    footer = pq.read_metadata(file)
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            pages = parquet_pages.measure_pages(file, chunk)
            headers = chunk.total_uncompressed_size - pages.unpacked  # which the footer counts
            assert 0 < headers < 200 + chunk.total_uncompressed_size / 10
            assert pages.value_count == chunk.num_values and 0 < pages.largest_page <= pages.unpacked
            assert pages.uses_deltas == ("DELTA_BYTE_ARRAY" in chunk.encodings)


def test_pages_in_deltas_count_as_one_since_a_value_may_go_on_over_several() -> None:
    file = io.BytesIO(deltas())
    pages = parquet_pages.measure_pages(file, pq.read_metadata(file).row_group(0).column(0))
    assert pages.uses_deltas and pages.largest_page == pages.unpacked


def test_deltas_within_lists_are_not_read(run: Any) -> None:
    file = io.BytesIO()
    how = {"use_dictionary": False, "column_encoding": {"turns.list.element.content": "DELTA_BYTE_ARRAY"}}
    pq.write_table(TABLE.slice(0, 100), file, **how)
    told = refused(run, file.getvalue(), kind="parquet", mapping={"messages": "turns"})
    assert "uses what cannot be read here (DELTA_BYTE_ARRAY within lists)" in told


class Chunk:
    """A footer's word of where pages are."""

    data_page_offset, has_dictionary_page, dictionary_page_offset = 0, False, None

    def __init__(self, size: int) -> None:
        self.total_compressed_size = size


@given(st.binary(min_size=1, max_size=300))
@example(bytes.fromhex("15001500" + "150c" + "00"))
@example(bytes.fromhex("2502" * 3 + "5802" + "00"))
@example(b"\x18" + b"\xff" * 9 + b"\x01")
def test_whatever_stands_there_is_counted_or_refused(data: bytes) -> None:
    try:
        pages = parquet_pages.measure_pages(io.BytesIO(data), Chunk(len(data)))  # type: ignore[arg-type]
    except ValueError:
        return
    assert pages.unpacked >= pages.largest_page >= 0 and pages.value_count >= 0


def test_a_damaged_header_is_told_as_damage(run: Any) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"] * 40, "label": ["b"] * 40}), file)
    data = bytearray(file.getvalue())
    data[4:30] = bytes(26)
    assert "is damaged" in refused(run, bytes(data), kind="parquet")


@pytest.mark.parametrize(
    ("values", "least"),
    [
        (pa.array(["x" * 1_000] * 100), 100_000),
        (pa.array(["x" * 1_000] * 100).dictionary_encode(), 100_000),
        (turns("x" * 1_000, 100), 100_000),
        (pa.array([None, [1, 2, 3]]), 100),
        (pa.array([[("a", 1), ("b", 2)], None, [("c", 3)]], pa.map_(pa.string(), pa.int64())), 100),
        (pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), 100),
        (pa.array([{"a": "x" * 5_000}, None]), 5_000),
        (pa.nulls(10), 320),
    ],
    ids=["texts", "dictionary", "chat", "list", "map", "fixed list", "struct", "nulls"],
)
def test_values_are_measured_as_python_would_hold_them(values: pa.Array, least: int) -> None:
    batch = pa.record_batch([values], ["x"])
    assert least <= parquet_sizes.estimate_python_bytes(batch) < 2 * least + 1_000
    parts = [parquet_sizes.estimate_python_bytes(batch.slice(number, 1)) for number in range(batch.num_rows)]
    assert sum(parts) <= parquet_sizes.estimate_python_bytes(batch) * 1.1 + 100
