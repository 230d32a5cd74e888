"""Rows of the training table that no training step uses: the validation rows and the calibration rows.

Both stay in the training table, so that lineage, erasure and the data gate see them like all others. A table beside it
says which ones they are, with the schema `tasks.core.records.record.VALIDATION_SCHEMA`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from tasks.core.errors import Refused
from tasks.core.records import record, texts

FILES = VALIDATION_FILE, CALIBRATION_FILE = "validation.parquet", "calibration.parquet"


def read_indices(split: Path, file_name: str) -> npt.NDArray[np.int64]:
    """Return the indices of the rows that a file names, in the training table and in ascending order.

    They are none if the folder is of an earlier version that had no calibration rows.

    Raises:
        Refused: An index is not in the training table.
    """
    path = split / file_name
    if file_name == CALIBRATION_FILE and not path.exists():
        return np.empty(0, np.int64)
    rows = pq.read_metadata(split / "train.parquet").num_rows
    places: npt.NDArray[np.int64] = record.read_table(path, ["place"])["place"].to_numpy()
    if len(places) and (places[0] < 0 or places[-1] >= rows or (np.diff(places) <= 0).any()):
        raise Refused(f"{path} names rows that the training table has not; run stage split")
    return places


def read_calibration_rows(split: Path) -> list[dict[str, Any]]:
    """Return the calibration rows that are conversations, in the order of the training table."""
    places = read_indices(split, CALIBRATION_FILE)
    rows = record.read_rows_at(split / "train.parquet", places).to_pylist() if len(places) else []
    return [row for row in rows if not texts.is_plain_text(row)]
