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
from tasks.core.records.record import SYNTHETIC, read_batches
from tasks.sources.sources import MAX_AUTHORITY, Source
from tasks.stages.data import conversations
from tasks.stages.data.deduplicate.similarity.editions import parse_edition
from tasks.stages.data.deduplicate.similarity.form import casefold_texts, may_state_edition, normalise_for_similarity
from tasks.stages.data.deduplicate.similarity.target_form import normalise_target
from tasks.stages.data.protect.placeholders import has_masked_value, reduce_placeholders

BATCH_ROWS = 5_000
"""Number of records whose texts are in memory as Python strings at a time."""
READ_COLUMNS = ["record_id", "source_id", "task", "messages", "effective_from", "retired_at", "split", "origin"]
NOT_FIXED, FIXED_TRAIN, FIXED_TEST = range(3)
PARTITION_NUMBERS = {"": NOT_FIXED, "draw": NOT_FIXED, "train": FIXED_TRAIN, "test": FIXED_TEST}
NO_DOCUMENT = -1
BELOW_REAL = 2 * MAX_AUTHORITY + 1
"""Number by which the authority of a synthetic record is lowered."""
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
    document: np.ndarray
    """Id of the document and heading that the record is of, as its source says; NO_DOCUMENT if it does not."""
    ingest_position: np.ndarray
    """Position of the record in the output of `ingest`, which is sorted by source and row."""
    is_synthetic: np.ndarray
    authority: np.ndarray
    """Authority of the record's source. That of a synthetic record is lower than any real one's, whatever its source
    says, so that it gives way to real records."""
    quarantines_contradictions: np.ndarray
    """Whether the record's source has `contradictions: put_aside` in sources.yaml."""
    dates_are_editions: np.ndarray
    """Whether the record's source has `editions: dated` in sources.yaml, and the record has a date."""
    effective_day: np.ndarray
    """`effective_from` in days since 1970-01-01, or NO_DATE."""
    is_retired: np.ndarray
    fixed_partition: np.ndarray
    """Partition to which the source fixes the record: FREE, FIXED_TRAIN or FIXED_TEST. A synthetic record for training
    is FREE, because a fixed partition would give it precedence over a real record."""
    task: np.ndarray
    full_text_rank: np.ndarray
    """Rank, from 1, of the digest of the record's task and turns. Spaces are normalised, and tokens are included. A
    record with a masked value has a rank that no other record has, because the values behind two masks may differ."""
    target: np.ndarray
    """Id of the target, including tokens. A target with a masked value has an id that no other target has."""
    target_id_without_values: np.ndarray
    """Id of the target with protected values reduced to their categories. Two targets that differ only in the people
    they name do not contradict each other."""
    normalised_prompt: np.ndarray
    """Index into the list of distinct normalised prompts; -1 if the normalised prompt is empty."""
    normalised_prompts: pa.Array
    states_edition: np.ndarray
    edition_rank: np.ndarray
    """Rank of the newest edition that the prompt or target states. Newer editions have higher ranks, and records
    without an edition have the lowest."""

    def __len__(self) -> int:
        return len(self.record_id)


def read_record_columns(
    records: Path, rows: Path, sources: Iterable[Source], edition_words: Sequence[str] = ()
) -> RecordColumns:
    """Read the records of a Parquet file as columns. `rows` is the path of rows.parquet, which `ingest` writes.

    Raises:
        InputError: A record is not in `rows`, or its source is not in `sources`.
    """
    derive = partial(_derive_columns, edition_words=edition_words)
    table = pa.Table.from_batches(
        map(derive, read_batches(records, READ_COLUMNS, BATCH_ROWS)), DERIVED_SCHEMA
    ).combine_chunks()
    columns = {name: _single_chunk(table, name) for name in table.column_names}
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
    synthetic = pc.equal(columns["origin"], SYNTHETIC).to_numpy(zero_copy_only=False)
    fixed = np.array([PARTITION_NUMBERS[side] for side in columns["split"].to_pylist()], np.int8)
    effective = pc.fill_null(columns["effective_from"].cast(pa.int32()), NO_DATE).to_numpy().astype(np.int64)
    return RecordColumns(
        record_id=columns["record_id"],
        source_id=columns["source_id"],
        row=where["row"].take(place).to_numpy(),
        document=_document_ids(where, place),
        ingest_position=place.to_numpy().astype(np.int64),
        is_synthetic=synthetic,
        authority=np.array([item.authority for item in own], np.int64)[of] - synthetic * BELOW_REAL,
        quarantines_contradictions=np.array([item.contradictions == "put_aside" for item in own], bool)[of],
        dates_are_editions=np.array([item.editions == "dated" for item in own], bool)[of] & (effective != NO_DATE),
        effective_day=effective,
        is_retired=pc.is_valid(columns["retired_at"]).to_numpy(zero_copy_only=False),
        fixed_partition=np.where(synthetic & (fixed == FIXED_TRAIN), NOT_FIXED, fixed),
        task=_text_ids(columns["task"]),
        full_text_rank=_dense_ranks(columns["whole"]),
        target=_text_ids(columns["target"]),
        target_id_without_values=_text_ids(columns["answer"]),
        normalised_prompt=pc.fill_null(form.indices, -1).to_numpy(),
        normalised_prompts=form.dictionary,
        states_edition=columns["marked"].to_numpy(zero_copy_only=False),
        edition_rank=_dense_ranks(columns["version"]),
    )


DERIVED_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("source_id", pa.string()),
        ("task", pa.string()),
        ("effective_from", pa.date32()),
        ("retired_at", pa.date32()),
        ("split", pa.string()),
        ("origin", pa.string()),
        ("whole", pa.binary(16)),
        ("target", pa.binary(16)),
        ("answer", pa.binary(16)),
        ("form", pa.large_string()),  # null if the prompt has none
        ("marked", pa.bool_()),
        ("version", pa.string()),
    ]
)


def _derive_columns(batch: pa.RecordBatch, edition_words: Sequence[str]) -> pa.RecordBatch:
    messages, ids = batch.column("messages"), batch.column("record_id").to_pylist()
    prompts = conversations.prompts(messages).to_pylist()
    targets = conversations.targets(messages).to_pylist()
    tasks = batch.column("task").to_pylist()
    wholes = conversations.full_texts(messages)
    asked, answered = casefold_texts(prompts), casefold_texts(targets)
    form = normalise_for_similarity(asked)
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
        "answer": [conversations.text_digest(normalise_target(reduce_placeholders(target))) for target in targets],
        "form": pc.if_else(pc.equal(form, ""), None, form),
        "marked": [any(item.is_stated for item in editions) for editions in says],
        "version": [max((item.sort_key for item in editions), default="") for editions in says],
    }
    columns = [pa.array(derived[field.name], field.type) for field in DERIVED_SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=DERIVED_SCHEMA)


def _document_ids(rows: pa.Table, place: pa.Array) -> np.ndarray:
    """Return the ids of the records' documents. Earlier versions of Hallmark did not write them."""
    if "document" not in rows.column_names:
        return np.full(len(place), NO_DOCUMENT)
    digests = rows["document"].combine_chunks().take(place).dictionary_encode()
    numbers: np.ndarray = pc.fill_null(digests.indices, NO_DOCUMENT).to_numpy()
    return numbers


def _unique_suffix(text: str, record_id: str) -> str:
    return f"\n{record_id}" if has_masked_value(text) else ""


def _single_chunk(table: pa.Table, name: str) -> pa.Array:
    chunks = table[name].chunks
    return chunks[0] if chunks else pa.array([], table.schema.field(name).type)


def _text_ids(column: pa.Array) -> np.ndarray:
    numbers: np.ndarray = column.dictionary_encode().indices.to_numpy()
    return numbers


def _dense_ranks(column: pa.Array) -> np.ndarray:
    ranks: np.ndarray = pc.rank(column, tiebreaker="dense").to_numpy().astype(np.int64)
    return ranks
