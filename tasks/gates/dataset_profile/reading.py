"""Counting of the rows in artefacts/split/train.parquet and test.parquet.

A run's own code wrote the files, so they are read within bounds (`tasks.stages.data.readers.bounded_tables`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasks.core.errors import DOCUMENT_ERRORS, InputError
from tasks.core.files import sha256_bytes
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.gates.dataset_profile.breaches import BreachCounts, count_breaches, has_templates
from tasks.gates.dataset_profile.profile import (
    CATEGORY_FIELDS,
    LENGTH_FIELDS,
    DatasetProfile,
    LengthHistogram,
    fold_rare,
)
from tasks.sources.dataset import PARTITIONS

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.stages.data.clean.filter import FilterInput

TEXT_COLUMNS = ("record_id", "source_id", "task", "kind", *CATEGORY_FIELDS, "origin")
COLUMNS = (*TEXT_COLUMNS, "messages")
BATCH = 4096
BINS = 10
LABEL_DIGITS = 12


class Cell(NamedTuple):
    """Place in which rows are counted for coverage."""

    partition: str
    task: str
    kind: str
    field: str
    """Name of the segment's field; empty for all records of the task."""
    value: str


@dataclass
class DatasetCounts:
    """Counts of a dataset, with single lengths and rare values. Only the profile made of them is kept."""

    cells: Counter[Cell] = field(default_factory=Counter)
    categories: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    lengths: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Number of rows by length, by field."""
    languages: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Number of rows by source and language."""
    breaches: BreachCounts = field(default_factory=BreachCounts)
    """Rows that break the templates of their task."""

    def to_profile(self) -> DatasetProfile:
        return DatasetProfile(
            rows=sum(self.categories["language"].values()),
            categories={name: fold_rare(self.categories[name]) for name in (*CATEGORY_FIELDS, "label")},
            lengths={name: _quantile_histogram(self.lengths[name]) for name in LENGTH_FIELDS},
        )


def count_dataset(layout: Layout, params: Params) -> DatasetCounts | None:
    """Count the rows of a dataset; None if its files do not exist.

    Args:
        layout: Paths of the run's files.
        params: Parameters of the run: the form of targets and the templates of the tasks.

    Raises:
        InputError: A file is damaged or too large.
    """
    counts, paths = DatasetCounts(), {name: layout.artefacts("split") / f"{name}.parquet" for name in PARTITIONS}
    if not all(path.exists() for path in paths.values()):
        return None
    import pyarrow as pa  # takes 0.2 s to import

    from tasks.stages.data.readers.bounded_tables import read_bounded_batches

    for partition, path in paths.items():
        try:
            for batch in read_bounded_batches(path, COLUMNS, BATCH):
                _count_batch(counts, partition, batch, params)
        except (pa.ArrowException, OSError, *DOCUMENT_ERRORS) as error:
            raise _unreadable(path, error) from None
    return counts


def count_lengths(counts: Counter[int], edges: list[int]) -> list[int]:
    """Return the number of rows in each bin of a histogram with the given edges."""
    bins = [0] * (len(edges) + 1)
    for length, rows in counts.items():
        bins[sum(length > edge for edge in edges)] += rows
    return bins


def _count_batch(counts: DatasetCounts, partition: str, batch: "pa.RecordBatch", params: Params) -> None:
    import pyarrow.compute as pc

    from tasks.stages.data.conversations import prompts, targets
    from tasks.stages.data.record_labels import count_labels

    columns = {name: [value or "" for value in batch[name].to_pylist()] for name in TEXT_COLUMNS}
    for name in CATEGORY_FIELDS:
        counts.categories[name].update(columns[name])
        counted = zip(columns["task"], columns["kind"], columns[name], strict=True)
        counts.cells.update(Cell(partition, task, kind, name, value) for task, kind, value in counted)
    counts.cells.update(Cell(partition, *pair, "", "") for pair in zip(columns["task"], columns["kind"], strict=True))
    counts.languages.update(zip(columns["source_id"], columns["language"], strict=True))
    for label, rows in count_labels(batch["messages"], params.evaluation).items():
        counts.categories["label"][sha256_bytes(label.encode())[:LABEL_DIGITS] if label else ""] += rows
    halves = [pc.fill_null(half(batch["messages"]), "") for half in (prompts, targets)]
    for name, texts in zip(LENGTH_FIELDS, halves, strict=True):
        counts.lengths[name].update(pc.utf8_length(texts).to_pylist())
    if has_templates(params.prompts):
        count_breaches(counts.breaches, _template_inputs(columns, halves), params.prompts)


def _template_inputs(
    columns: Mapping[str, list[str]], halves: "Sequence[pa.StringArray]"
) -> Iterator[tuple[str, "FilterInput"]]:
    """Yield record id and fields of each row."""
    from tasks.stages.data.clean.filter import FILTER_COLUMNS, FilterInput

    texts = (half.to_pylist() for half in halves)
    rows = zip(*texts, *(columns[name] for name in FILTER_COLUMNS), strict=True)
    return zip(columns["record_id"], map(FilterInput._make, rows), strict=True)


def _quantile_histogram(counts: Counter[int]) -> LengthHistogram:
    if not counts:
        return LengthHistogram(edges=[], counts=[0])
    total, seen, quantile, shortest = counts.total(), 0, 1, min(counts)
    edges = [shortest - 1] if shortest else []
    for length in sorted(counts):
        seen += counts[length]
        if quantile * total <= seen * BINS < BINS * total:
            edges.append(length)
            quantile = seen * BINS // total + 1
    edges.append(max(counts))
    return LengthHistogram(edges=edges, counts=count_lengths(counts, edges))


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be counted ({type(error).__name__}); run stage split again")
