"""Records as a data frame for expectations, with only the columns that the expectations use."""

import json
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.json_text import has_unpaired_surrogate, parse_shallow
from tasks.core.records.record import RECORD_SCHEMA, read_batches
from tasks.sources.resolved_sources import ResolvedSources
from tasks.stages.data.conversations import prompts, targets
from tasks.stages.data.validate.ages import AGE_COLUMNS, AgeColumns

if TYPE_CHECKING:
    import pandas as pd

FIELD_PREFIX = "target."
COMPUTED_COLUMNS: Mapping[str, Callable[[pa.RecordBatch], pa.Array]] = {
    "messages": lambda batch: pa.array([json.dumps(t, ensure_ascii=False) for t in batch["messages"].to_pylist()]),
    "policy_tags": lambda batch: _join_lists(batch["policy_tags"]),
    "subjects": lambda batch: _join_lists(batch["subjects"]),
    "prompt": lambda batch: prompts(batch["messages"]),
    "target": lambda batch: targets(batch["messages"]),
    "prompt_chars": lambda batch: pc.utf8_length(prompts(batch["messages"])),
    "target_chars": lambda batch: pc.utf8_length(targets(batch["messages"])),
}
BATCH = 5_000
"""Number of records read at a time. Copies of their texts are in memory too, because columns are computed from them."""
MESSAGE_COLUMNS = ("prompt", "target", "prompt_chars", "target_chars")
KNOWN_COLUMNS = (*RECORD_SCHEMA.names, *MESSAGE_COLUMNS, *AGE_COLUMNS)
"""Names of all columns except the fields of JSON targets."""


@dataclass(frozen=True)
class RecordTable:
    path: Path
    resolved: ResolvedSources
    json_target: bool

    def count_rows_by_source(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for batch in read_batches(self.path, ["source_id"]):
            for item in batch["source_id"].value_counts().to_pylist():
                counts[item["values"]] = counts.get(item["values"], 0) + item["counts"]
        return dict(sorted(counts.items()))

    def to_frame(self, source: str | None, columns: Collection[str] | None = None) -> "pd.DataFrame":
        """Return a data frame with one row for each record of a source, or of all sources if `source` is None.

        The frame has those of `columns` that exist, or all columns if `columns` is None
        (`tasks.sources.sources.ExpectationSuite` lists them). Lists are text joined by `;`, and `messages` is JSON
        text. Dates are `datetime.date`, to which Great Expectations also converts the dates in expectations. If targets
        are JSON, each field of any target is a column `target.FIELD`. The column is null for a target without the
        field, and for a target that is not an object.
        """
        named = [name for name in KNOWN_COLUMNS if columns is None or name in columns] or ["source_id"]
        fields = self.json_target and (columns is None or any(name.startswith(FIELD_PREFIX) for name in columns))
        table = self._table(source, dict.fromkeys([*named, "target"] if fields else named))
        frame = table.select(named).to_pandas()
        if fields:
            for name, values in _target_field_columns(table["target"], columns):
                frame[name] = values
        return frame

    def _table(self, source: str | None, names: Collection[str]) -> pa.Table:
        ages = AgeColumns(self.resolved)
        needed = {"source_id"} | {name for column in names for name in _source_columns(column)}
        parts = []
        for batch in read_batches(self.path, sorted(needed), BATCH):
            own = batch if source is None else batch.filter(pc.equal(batch["source_id"], source))
            parts.append(pa.table({name: _compute_column(name, own, ages) for name in names}))
        return pa.concat_tables(parts)


def _source_columns(column: str) -> tuple[str, ...]:
    return AGE_COLUMNS.get(column) or (("messages",) if column in MESSAGE_COLUMNS else (column,))


def _compute_column(name: str, batch: pa.RecordBatch, ages: AgeColumns) -> pa.Array:
    if name in AGE_COLUMNS:
        return ages.compute_column(name, batch)
    return COMPUTED_COLUMNS[name](batch) if name in COMPUTED_COLUMNS else batch[name]


def _join_lists(lists: pa.ListArray) -> pa.StringArray:
    return pc.fill_null(pc.binary_join(lists, ";"), "")


def _target_field_columns(
    targets: pa.ChunkedArray, columns: Collection[str] | None
) -> Iterator[tuple[str, "pd.Series"]]:
    import pandas as pd

    encoded = targets.dictionary_encode().unify_dictionaries()
    objects = (
        [_parse_object(target) for target in encoded.chunk(0).dictionary.to_pylist()] if encoded.num_chunks else []
    )
    places = encoded.combine_chunks().indices.to_numpy() if objects else []
    for name in sorted(_field_names(objects, columns)):
        values = pd.Series([_scalar(item.get(name)) for item in objects])
        yield f"{FIELD_PREFIX}{name}", values.take(places).reset_index(drop=True)


def _field_names(objects: list[dict[str, Any]], columns: Collection[str] | None) -> set[str]:
    if columns is None:
        return {name for item in objects for name in item}
    requested = {name.removeprefix(FIELD_PREFIX) for name in columns if name.startswith(FIELD_PREFIX)}
    return {name for name in requested if any(name in item for item in objects)}


def _parse_object(target: str) -> dict[str, Any]:
    try:
        value = {} if has_unpaired_surrogate(target) else parse_shallow(target)
    except ValueError:
        return {}
    return (
        {unicodedata.normalize("NFC", name): field for name, field in value.items()} if isinstance(value, dict) else {}
    )


def _scalar(value: Any) -> Any:
    """Convert lists and objects to JSON text, which can be compared and counted."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict | list) else value
