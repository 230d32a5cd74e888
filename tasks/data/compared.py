"""What `deduplicate` knows of each record: a column a property, so that a million records fit into memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.data import conversations
from tasks.data.near.form import even, forms, has_marker
from tasks.data.near.versions import newness
from tasks.data.protect.placeholders import without_values
from tasks.errors import InputError
from tasks.record import batches

BATCH = 5_000
"""Records whose texts are Python's at the same time."""
READ = ["record_id", "source_id", "task", "messages", "effective_from", "retired_at", "split"]
FREE, FIXED_TRAIN, FIXED_TEST = range(3)
NUMBERS = {"": FREE, "train": FIXED_TRAIN, "test": FIXED_TEST}
NO_DATE = np.iinfo(np.int32).min
"""Before every date: a record without one gives way to one that has one."""


@dataclass(frozen=True)
class Compared:
    """The records in the order of their table. Numbers for texts are good for telling equal from different only."""

    record_id: pa.Array
    source_id: pa.Array
    row: np.ndarray
    """1-based, in its source."""
    place: np.ndarray
    """Among all rows of all sources, in the order of sources.yaml."""
    authority: np.ndarray
    """Of its source."""
    effective: np.ndarray
    """effective_from in days since 1970, or NO_DATE."""
    retired: np.ndarray
    side: np.ndarray
    """FREE, FIXED_TRAIN or FIXED_TEST: as the source fixed it."""
    task: np.ndarray
    whole: np.ndarray
    """A number for the task, all turns and the target, evenly spaced, tokens included."""
    target: np.ndarray
    """A number for the target, evenly spaced, with the class alone of what is protected in it: two answers that differ
    in whom they name do not contradict each other."""
    form: np.ndarray
    """The position of the prompt's form in `forms`; -1 where it has none."""
    forms: pa.Array
    marked: np.ndarray
    """Whether prompt or target says which version it is."""
    version: np.ndarray
    """How new they say they are: the larger, the newer; 1 where they say nothing of it."""
    length: np.ndarray
    """Characters of the prompt."""

    def __len__(self) -> int:
        return len(self.record_id)


def read(records: Path, rows: Path, authority: Mapping[str, int]) -> Compared:
    """Of the records in a Parquet file; `rows` is that of `ingest`. Raises InputError where the two differ."""
    table = pa.Table.from_batches(map(_derive, batches(records, READ, BATCH)), DERIVED).combine_chunks()
    columns = {name: _column(table, name) for name in table.column_names}
    where = pq.read_table(rows)
    place = pc.index_in(columns["record_id"], value_set=where["record_id"].combine_chunks())
    unknown = sorted(set(columns["source_id"].unique().to_pylist()) - set(authority))
    if place.null_count or unknown:
        raise InputError(
            f"{records}: {place.null_count:,} records are not in {rows}, and of its sources "
            f"{', '.join(unknown) or 'none'} is missing in inputs/sources.json; run the stages before it again"
        )
    form = columns["form"].dictionary_encode()
    return Compared(
        record_id=columns["record_id"],
        source_id=columns["source_id"],
        row=where["row"].take(place).to_numpy(),
        place=place.to_numpy().astype(np.int64),
        authority=np.array([authority[name] for name in columns["source_id"].to_pylist()], np.int64),
        effective=pc.fill_null(columns["effective_from"].cast(pa.int32()), NO_DATE).to_numpy().astype(np.int64),
        retired=pc.is_valid(columns["retired_at"]).to_numpy(zero_copy_only=False),
        side=np.array([NUMBERS[side] for side in columns["split"].to_pylist()], np.int8),
        task=_numbers(columns["task"]),
        whole=_numbers(columns["whole"]),
        target=_numbers(columns["target"]),
        form=pc.fill_null(form.indices, -1).to_numpy(),
        forms=form.dictionary,
        marked=columns["marked"].to_numpy(zero_copy_only=False),
        version=pc.rank(columns["version"], tiebreaker="dense").to_numpy().astype(np.int64),
        length=columns["length"].to_numpy(),
    )


DERIVED = pa.schema(
    [
        ("record_id", pa.string()),
        ("source_id", pa.string()),
        ("task", pa.string()),
        ("effective_from", pa.date32()),
        ("retired_at", pa.date32()),
        ("split", pa.string()),
        ("whole", pa.binary(16)),
        ("target", pa.binary(16)),
        ("form", pa.large_string()),  # null for none
        ("marked", pa.bool_()),
        ("version", pa.string()),
        ("length", pa.int32()),
    ]
)


def _derive(batch: pa.RecordBatch) -> pa.RecordBatch:
    messages = batch.column("messages")
    prompts = conversations.prompts(messages).to_pylist()
    targets = conversations.targets(messages).to_pylist()
    tasks = batch.column("task").to_pylist()
    asked, answered = even(prompts), even(targets)
    form, marked = forms(asked), pc.or_(has_marker(asked), has_marker(answered))
    derived: dict[str, Any] = {name: batch.column(name) for name in READ if name != "messages"}
    derived |= {
        "whole": [
            conversations.digest(f"{task}\n{whole}")
            for task, whole in zip(tasks, conversations.wholes(messages), strict=True)
        ],
        "target": [conversations.digest(conversations.spaced(without_values(target))) for target in targets],
        "form": pc.if_else(pc.equal(form, ""), None, form),
        "marked": marked,
        "version": [
            newness(f"{prompt}\n{target}") if says else ""
            for says, prompt, target in zip(marked.to_pylist(), prompts, targets, strict=True)
        ],
        "length": [len(prompt) for prompt in prompts],
    }
    columns = [pa.array(derived[field.name], field.type) for field in DERIVED]
    return pa.RecordBatch.from_arrays(columns, schema=DERIVED)


def _column(table: pa.Table, name: str) -> pa.Array:
    chunks = table[name].chunks
    return chunks[0] if chunks else pa.array([], table.schema.field(name).type)


def _numbers(column: pa.Array) -> np.ndarray:
    numbers: np.ndarray = column.dictionary_encode().indices.to_numpy()
    return numbers
