"""Tables that unreviewed code left are measured before they are accepted."""

from pathlib import Path

import pyarrow as pa
import pytest

from tasks.core.errors import Refused
from tasks.core.records import record
from tasks.supervise.table_check import require_bounded_tables


def leave(folder: Path, rows: int, length: int) -> None:
    folder.mkdir(parents=True)
    one = {"record_id": "a", "task": "t", "messages": [{"role": "user", "content": "x" * length}]}
    record.write_table(pa.Table.from_pylist([one], record.RECORD_SCHEMA).take([0] * rows), folder / "records.parquet")


def test_equal_rows_are_accepted(tmp_path: Path) -> None:
    leave(tmp_path / "ingest" / "more", 60_000, 100)
    require_bounded_tables(tmp_path / "ingest", "ingest")
    assert (tmp_path / "ingest" / "more" / "records.parquet").is_file()


@pytest.mark.attack(rights="commit", stopped="tables that unreviewed code left are measured before they are accepted")
@pytest.mark.parametrize(("rows", "length"), [(15, 20_000_000), (30_000, 10_000)])
def test_a_table_that_repeats_a_long_text_is_not_accepted(tmp_path: Path, rows: int, length: int) -> None:
    leave(tmp_path / "ingest" / "more", rows, length)
    with pytest.raises(Refused, match=r"stage ingest left a table .* unpacks to"):
        require_bounded_tables(tmp_path / "ingest", "ingest")
    assert not (tmp_path / "ingest").exists()


def test_a_damaged_table_is_not_accepted(tmp_path: Path) -> None:
    leave(tmp_path / "ingest", 10, 10)
    (tmp_path / "ingest" / "records.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(Refused, match="stage ingest left a table that is not accepted"):
        require_bounded_tables(tmp_path / "ingest", "ingest")
