"""Labels of the dataset: those that no training record has, and those that nearly equal a more frequent label."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.params.evaluation import Evaluation
from tasks.core.records.answer_label import NO_LABEL
from tasks.core.records.record import LABEL_FINDINGS_SCHEMA, read_batches
from tasks.stages.data.record_labels import record_labels
from tasks.stages.data.similar_labels import find_near_equal_labels
from tasks.stages.data.split.record_columns import Positions

NO_LABEL_NUMBER = -1
COLUMNS = ("record_id", "source_id", "messages")
BATCH = 10_000
NOT_TRAINED, NEAR_EQUAL = "not_trained", "near_equal"
LABEL_NOT_TRAINED_RULE = "label_not_trained"


@dataclass(frozen=True)
class LabelFindings:
    """Labels of a dataset that its owner should look at."""

    not_trained: frozenset[str]
    """Labels of test records, or of records quarantined by LABEL_NOT_TRAINED_RULE, that no training record has."""
    near_equal: Mapping[str, str]
    """Labels that nearly equal a more frequent label, with that label."""

    def __bool__(self) -> bool:
        return bool(self.not_trained or self.near_equal)

    def findings_of(self, label: str) -> Iterator[tuple[str, str | None]]:
        """Yield each finding about a label, with the more frequent label that it nearly equals, if any."""
        if label in self.not_trained:
            yield NOT_TRAINED, None
        if label in self.near_equal:
            yield NEAR_EQUAL, self.near_equal[label]


def read_label_numbers(path: Path, settings: Evaluation) -> Positions:
    """Return the number of each record's label, in the order of the file.

    The number of records without a label is NO_LABEL_NUMBER.
    """
    numbers = {NO_LABEL: NO_LABEL_NUMBER}
    parts = [np.array([], np.int64)]
    for batch in read_batches(path, ["messages"], BATCH):
        labels = record_labels(batch["messages"], settings)
        parts.append(np.array([numbers.setdefault(label, len(numbers)) for label in labels], np.int64))
    return np.concatenate(parts)


def find_rows_with_unseen_label(label_numbers: Positions, train: Positions, test: Positions) -> Positions:
    """Return the positions of the test records whose label no training record has."""
    unknown = ~np.isin(label_numbers[test], label_numbers[train]) & (label_numbers[test] != NO_LABEL_NUMBER)
    return test[unknown]


def find_findings(train: Counter[str], test: Counter[str], removed: Counter[str]) -> LabelFindings:
    """Return the labels to look at, given the number of records with each label.

    `removed` counts the records that were quarantined by LABEL_NOT_TRAINED_RULE.
    """
    near = find_near_equal_labels({label: count for label, count in (train + test + removed).items() if label})
    return LabelFindings(frozenset(test.keys() | removed.keys()) - train.keys() - {NO_LABEL}, near)


def findings_table(
    parts: Iterable[tuple[str, Iterable[pa.RecordBatch]]], found: LabelFindings, settings: Evaluation
) -> pa.Table:
    """Return a table with a row for each finding about the label of a record, in the schema LABEL_FINDINGS_SCHEMA.

    `parts` has the records of each partition and of the quarantine, with at least the columns COLUMNS.
    """
    usual_sources: dict[str, set[str]] = {label: set() for label in found.near_equal.values()}
    rows: list[dict[str, Any]] = []
    for partition, batches in parts:
        for batch in batches:
            columns = (
                batch["record_id"].to_pylist(),
                batch["source_id"].to_pylist(),
                record_labels(batch["messages"], settings),
            )
            for record_id, source_id, label in zip(*columns, strict=True):
                if label in usual_sources:
                    usual_sources[label].add(source_id)
                named = {"record_id": record_id, "source_id": source_id, "partition": partition, "label": label}
                rows += [named | {"finding": finding, "near": near} for finding, near in found.findings_of(label)]
    for row in rows:
        row["near_sources"] = sorted(usual_sources.get(row["near"], ()))
    rows.sort(key=lambda row: (row["finding"], row["label"], row["record_id"]))
    return pa.Table.from_pylist(rows, schema=LABEL_FINDINGS_SCHEMA)


def untrained_record_ids(findings: pa.Table) -> list[str]:
    """Return the sorted ids of the test records whose label no training record has."""
    tested = findings.filter((pc.field("finding") == NOT_TRAINED) & (pc.field("partition") == "test"))
    return sorted(tested["record_id"].to_pylist())
