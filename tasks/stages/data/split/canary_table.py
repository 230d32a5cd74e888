"""Table of canaries that training reads beside the training records (`tasks.core.records.canaries`)."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.core.records import canaries, texts
from tasks.core.records.canaries import CANARIES_FILE
from tasks.core.records.record import RECORD_SCHEMA, SMALL_BATCH_ROWS, read_batches, write_table


def write_canaries(folder: Path, count: int, seed: int) -> None:
    """Write `count` canaries into `folder`, in the task of most records in train.parquet. Write no file for none.

    Plain texts are copied only if there is no conversation, because a secret is easier to ask for in a conversation.
    """
    if count:
        like = _find_typical_record(folder / "train.parquet")
        rows = [canaries.make_canary(number, like, seed) for number in range(count)]
        write_table(pa.Table.from_pylist(rows, schema=RECORD_SCHEMA), folder / CANARIES_FILE)


def _find_typical_record(path: Path) -> dict[str, Any]:
    """Return the first training record in the most frequent task and form. A tie goes to the task that comes first."""
    rows, first = Counter[tuple[bool, str]](), dict[tuple[bool, str], dict[str, Any]]()
    for part in read_batches(path, rows=SMALL_BATCH_ROWS):
        for row in part.to_pylist():
            group = (not texts.is_plain_text(row), row["task"])
            rows[group] += 1
            first.setdefault(group, row)
    return first[max(rows, key=lambda group: (group[0], rows[group]))]
