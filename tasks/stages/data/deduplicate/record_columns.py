"""Records of `deduplicate` as columns without their texts, so that a million records fit into memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.core.errors import InputError
from tasks.core.records.record import read_batches
from tasks.sources.sources import Source
from tasks.stages.data import conversations
from tasks.stages.data.deduplicate.similarity.editions import parse_edition
from tasks.stages.data.deduplicate.similarity.form import forms, may_state_edition, normalise
from tasks.stages.data.deduplicate.similarity.target_form import normalise_target
from tasks.stages.data.protect.placeholders import has_masked_value, without_values

BATCH = 5_000
"""Number of records whose texts are in memory as Python strings at a time."""
READ_COLUMNS = ["record_id", "source_id", "task", "messages", "effective_from", "retired_at", "split"]
FREE, FIXED_TRAIN, FIXED_TEST = range(3)
SIDE_NUMBERS = {"": FREE, "train": FIXED_TRAIN, "test": FIXED_TEST}
NO_DATE = np.iinfo(np.int32).min
"""Value for a missing date. It is before every date, so a record with a date is preferred to one without."""


@dataclass(frozen=True)
class RecordColumns:
    """Records as columns, in the order of their table.

    Integer ids represent texts: equal texts have equal ids.
    """

    record_id: pa.Array
    source_id: pa.Array
    row: np.ndarray
    """Number of the record's row in its source, from 1."""
    ingest_position: np.ndarray
    """Position of the record in the output of `ingest`, which is sorted by source and row."""
    authority: np.ndarray
    puts_aside: np.ndarray
    """Whether the record's source has `contradictions: put_aside` in sources.yaml."""
    dates_are_editions: np.ndarray
    """Whether the record's source has `editions: dated` in sources.yaml, and the record has a date."""
    effective: np.ndarray
    """`effective_from` in days since 1970-01-01, or NO_DATE."""
    retired: np.ndarray
    side: np.ndarray
    """Partition to which the source fixes the record: FREE, FIXED_TRAIN or FIXED_TEST."""
    task: np.ndarray
    full_text_rank: np.ndarray
    """Rank, from 1, of the digest of task and turns, with normalised spaces and including tokens. A record with a
    masked value has a rank that no other record has, because the values behind two masks may differ."""
    target: np.ndarray
    """Id of the target, including tokens. A target with a masked value has an id that no other target has."""
    answer: np.ndarray
    """Id of the target with protected values reduced to their categories. Two targets that differ only in the people
    they name do not contradict each other."""
    form: np.ndarray
    """Index into the list of distinct normalised prompts; -1 if the normalised prompt is empty."""
    forms: pa.Array
    states_edition: np.ndarray
    version: np.ndarray
    """Rank of the newest edition that the prompt or target states. Newer editions have higher ranks, and records
    without an edition have the lowest."""

    def __len__(self) -> int:
        return len(self.record_id)


def read(records: Path, rows: Path, sources: Iterable[Source], edition_words: Sequence[str] = ()) -> RecordColumns:
    """Read the records of a Parquet file as columns. `rows` is the path of rows.parquet, which `ingest` writes.

    Raises:
        InputError: A record is not in `rows`, or its source is not in `sources`.
    """
    derive = partial(_derive, edition_words=edition_words)
    table = pa.Table.from_batches(
        map(derive, read_batches(records, READ_COLUMNS, BATCH)), DERIVED_SCHEMA
    ).combine_chunks()
    columns = {name: _column(table, name) for name in table.column_names}
    where = pq.read_table(rows)
    place = pc.index_in(columns["record_id"], value_set=where["record_id"].combine_chunks())
    named = {source.id: source for source in sources}
    unknown = sorted(set(columns["source_id"].unique().to_pylist()) - set(named))
    if place.null_count or unknown:
        raise InputError(
            f"{records}: {place.null_count:,} records are not in {rows}, and of its sources "
            f"{', '.join(unknown) or 'none'} is missing in inputs/sources.json; run the stages before it again"
        )
    form, source = columns["form"].dictionary_encode(), columns["source_id"].dictionary_encode()
    own, of = [named[name] for name in source.dictionary.to_pylist()], source.indices.to_numpy()
    effective = pc.fill_null(columns["effective_from"].cast(pa.int32()), NO_DATE).to_numpy().astype(np.int64)
    return RecordColumns(
        record_id=columns["record_id"],
        source_id=columns["source_id"],
        row=where["row"].take(place).to_numpy(),
        ingest_position=place.to_numpy().astype(np.int64),
        authority=np.array([item.authority for item in own], np.int64)[of],
        puts_aside=np.array([item.contradictions == "put_aside" for item in own], bool)[of],
        dates_are_editions=np.array([item.editions == "dated" for item in own], bool)[of] & (effective != NO_DATE),
        effective=effective,
        retired=pc.is_valid(columns["retired_at"]).to_numpy(zero_copy_only=False),
        side=np.array([SIDE_NUMBERS[side] for side in columns["split"].to_pylist()], np.int8),
        task=_numbers(columns["task"]),
        full_text_rank=_ranks(columns["whole"]),
        target=_numbers(columns["target"]),
        answer=_numbers(columns["answer"]),
        form=pc.fill_null(form.indices, -1).to_numpy(),
        forms=form.dictionary,
        states_edition=columns["marked"].to_numpy(zero_copy_only=False),
        version=_ranks(columns["version"]),
    )


DERIVED_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("source_id", pa.string()),
        ("task", pa.string()),
        ("effective_from", pa.date32()),
        ("retired_at", pa.date32()),
        ("split", pa.string()),
        ("whole", pa.binary(16)),
        ("target", pa.binary(16)),
        ("answer", pa.binary(16)),
        ("form", pa.large_string()),  # null if the prompt has none
        ("marked", pa.bool_()),
        ("version", pa.string()),
    ]
)


def _derive(batch: pa.RecordBatch, edition_words: Sequence[str]) -> pa.RecordBatch:
    messages, ids = batch.column("messages"), batch.column("record_id").to_pylist()
    prompts = conversations.prompts(messages).to_pylist()
    targets = conversations.targets(messages).to_pylist()
    tasks = batch.column("task").to_pylist()
    wholes = conversations.full_texts(messages)
    asked, answered = normalise(prompts), normalise(targets)
    form = forms(asked)
    worth = pc.or_(may_state_edition(asked, edition_words), may_state_edition(answered, edition_words)).to_pylist()
    says = [
        [parse_edition(text, edition_words) for text in texts] if worth_it else []
        for *texts, worth_it in zip(prompts, targets, worth, strict=True)
    ]
    derived: dict[str, Any] = {name: batch.column(name) for name in READ_COLUMNS if name != "messages"}
    derived |= {
        "whole": [
            conversations.text_digest(f"{task}\n{whole}{_unique_suffix(whole, record_id)}")
            for task, whole, record_id in zip(tasks, wholes, ids, strict=True)
        ],
        "target": [
            conversations.text_digest(normalise_target(target) + _unique_suffix(target, record_id))
            for target, record_id in zip(targets, ids, strict=True)
        ],
        "answer": [conversations.text_digest(normalise_target(without_values(target))) for target in targets],
        "form": pc.if_else(pc.equal(form, ""), None, form),
        "marked": [any(item.is_stated for item in editions) for editions in says],
        "version": [max((item.newness for item in editions), default="") for editions in says],
    }
    columns = [pa.array(derived[field.name], field.type) for field in DERIVED_SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=DERIVED_SCHEMA)


def _unique_suffix(text: str, record_id: str) -> str:
    return f"\n{record_id}" if has_masked_value(text) else ""


def _column(table: pa.Table, name: str) -> pa.Array:
    chunks = table[name].chunks
    return chunks[0] if chunks else pa.array([], table.schema.field(name).type)


def _numbers(column: pa.Array) -> np.ndarray:
    numbers: np.ndarray = column.dictionary_encode().indices.to_numpy()
    return numbers


def _ranks(column: pa.Array) -> np.ndarray:
    ranks: np.ndarray = pc.rank(column, tiebreaker="dense").to_numpy().astype(np.int64)
    return ranks
