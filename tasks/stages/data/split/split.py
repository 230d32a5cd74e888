"""Stage `split`: divide the records into training and test records without a common or near-identical prompt.

Prompts that differ only in case, spaces or the values behind placeholders count as the same prompt.

    artefacts/split/train.parquet, test.parquet   tasks.core.records.record.SCHEMA_SCHEMA, in the order of
    `SplitRecords`
    artefacts/split/validation.parquet            tasks.core.records.record.VALIDATION_SCHEMA
    artefacts/split/quarantine.parquet            tasks.core.records.record.QUARANTINE_SCHEMA: removed by rule
    prompt_in_test
    artefacts/split/not_drawn.parquet             same schema: records beyond data.train_rows and data.test_rows
    artefacts/split/manifest.json                 tasks.sources.dataset.Dataset
    artefacts/split/result.json                   `SplitResult`

The outputs do not depend on the order of the input records.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.files import atomic_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.data import Data
from tasks.core.params.evaluation import Evaluation
from tasks.core.progress import print_progress
from tasks.core.records.answer_label import NO_LABEL, extract_label
from tasks.core.records.record import (
    VALIDATION_SCHEMA,
    TableWriter,
    read_batches,
    read_rows_at,
    read_table,
    write_table,
)
from tasks.core.steps.data import LAST_FILTER_STAGE
from tasks.sources.dataset import NOT_SAMPLED_RULE
from tasks.stages.data.conversations import prompt_keys, targets
from tasks.stages.data.quarantine import REMOVED_SCHEMA, Counts, add_source_rows, stage_counts
from tasks.stages.data.split import record_columns
from tasks.stages.data.split.draw import draw_stratified
from tasks.stages.data.split.manifest import build_manifest
from tasks.stages.data.split.partitions import NO_RECORD, TEST, TRAIN, assign_partitions
from tasks.stages.data.split.record_columns import (
    NO_CLUSTER,
    Positions,
    RandomNumbers,
    SplitRecords,
    cluster_numbers,
    derive_random_numbers,
)

ROWS_PER_PASS = 200_000
"""Number of records that are written in one pass over the input, and are in memory at the same time."""


class SplitResult(FrozenModel):
    counts: Counts
    train_rows: int
    test_rows: int
    validation_rows: int = 0
    """Number of training records that are held out for validation."""
    groups_on_both_sides: int
    near_prompts_on_both_sides: int | None
    """Number of clusters of near-identical prompts with records in both partitions; null if `deduplicate` did not
    look for near-duplicates."""
    labels_only_in_test: list[str]
    """Labels of test records that no training record has, so the model cannot learn them from this dataset."""


@dataclass(frozen=True)
class Division:
    positions_by_partition: dict[str, Positions]
    """Positions of the kept records, by partition, with the training partition first."""
    removed: pa.Table
    """Records that are fixed for training although their prompt is in the fixed test set, with the schema
    REMOVED_SCHEMA."""
    not_drawn: pa.Table
    """Valid records left out because data.train_rows or data.test_rows was reached, with the schema REMOVED_SCHEMA."""
    validation: Positions


@dataclass(frozen=True)
class PartitionContent:
    rows: int
    prompt_numbers: RandomNumbers
    """Random numbers of the prompt keys, without repetitions."""
    clusters: set[int]
    labels: set[str]
    rows_with_target: int
    """Number of records with a target. Plain texts have none."""


class Params(FrozenModel):
    """Sections of params.yaml that the stage reads."""

    data: Data
    evaluation: Evaluation


def run(params: Params, layout: Layout) -> SplitResult:
    """Run the stage on the records that the last filtering stage wrote.

    Raises:
        InputError: A partition has no record, or no test record has a target. If data.validation_share is set, the
            error is also raised if none or all of the training records are held out for validation.
    """
    print_progress("split", "drawing the partitions")
    path = layout.artefacts(LAST_FILTER_STAGE) / "records.parquet"
    clusters = read_table(layout.artefacts("deduplicate") / "clusters.parquet")
    records = record_columns.read_split_records(path, clusters, params.data.seed)
    divided = divide_records(records, params.data)
    sides = divided.positions_by_partition
    _require_both_partitions(divided, params.data)
    with atomic_folder(layout.artefacts("split")) as folder:
        for side, positions in sides.items():
            print_progress("split", f"writing {len(positions):,} {side} records")
            _write_rows(path, records.table_position[positions], folder / f"{side}.parquet")
        write_table(_validation_table(records, divided), folder / "validation.parquet")
        write_table(add_source_rows(divided.removed, layout), folder / "quarantine.parquet")
        write_table(add_source_rows(divided.not_drawn, layout), folder / "not_drawn.parquet")
        print_progress("split", "counting what training will read")
        # Read back, so that the figures describe the files that training reads.
        train, test = (_read_partition_content(folder / f"{side}.parquet", clusters, params) for side in sides)
        kept, rules = train.rows + test.rows, divided.removed["rule"].to_pylist()
        if not test.rows_with_target:
            raise InputError(
                "split: none of the test records is a conversation, and plain texts do not show what a model answers; "
                "add a source of conversations with `split: test`"
            )
        counts = stage_counts("split", len(records), kept, rules, divided.not_drawn.num_rows)
        result = _build_result(train, test, len(divided.validation), counts, params.data)
        made = build_manifest(layout, folder, result.counts, params.data)
        write_json(folder / "manifest.json", made.model_dump(mode="json"))
        write_json(
            folder / "result.json",
            {"facts": facts.facts_to_json(_result_facts(result)), **result.model_dump(mode="json")},
        )
    return result


def divide_records(records: SplitRecords, data: Data) -> Division:
    sides = assign_partitions(records, data.test_share, data.validation_share)
    clashes = np.flatnonzero(sides.fixed_test_record != NO_RECORD)
    shut_out = records.record_id.take(pa.array(sides.fixed_test_record[clashes]))
    removed = _removed_table(records, clashes, "prompt_in_test", "its prompt is in the fixed test set", shut_out)
    kept, over = {}, []
    for side, most in ((TRAIN, data.train_rows), (TEST, data.test_rows)):
        positions = np.flatnonzero(sides.partition_masks[side])
        kept[side] = draw_stratified(records, positions, most)
        reason = f"data.{side}_rows keeps {most} of {len(positions)} {side} records"
        left = np.setdiff1d(positions, kept[side], assume_unique=True)
        over.append(_removed_table(records, left, NOT_SAMPLED_RULE, reason, pa.nulls(len(left), pa.string())))
    validation = kept[TRAIN][sides.is_validation[kept[TRAIN]]]
    return Division(kept, removed, pa.concat_tables(over), validation)


def _validation_table(records: SplitRecords, divided: Division) -> pa.Table:
    places = np.flatnonzero(np.isin(divided.positions_by_partition[TRAIN], divided.validation, assume_unique=True))
    return pa.table([records.record_id.take(pa.array(divided.validation)), places], schema=VALIDATION_SCHEMA)


def _removed_table(records: SplitRecords, positions: Positions, rule: str, reason: str, winner: pa.Array) -> pa.Table:
    where, size = pa.array(positions), len(positions)
    named = (records.source_id.take(where), records.record_id.take(where))
    return pa.table([*named, pa.repeat(rule, size), pa.repeat(reason, size), winner], schema=REMOVED_SCHEMA)


def _require_both_partitions(divided: Division, data: Data) -> None:
    for side, positions in divided.positions_by_partition.items():
        if not len(positions):
            raise InputError(
                f"split: none of {sum(map(len, divided.positions_by_partition.values())):,} records is in the {side} "
                "partition; change data.test_share or data.seed in params.yaml, or give more records"
            )
    rows, validation = len(divided.positions_by_partition[TRAIN]), len(divided.validation)
    if data.validation_share and validation in (0, rows):
        raise InputError(
            f"split: {validation:,} of {rows:,} training records validate, and some must while others train; change "
            "data.validation_share in params.yaml, or give more records"
        )


def _write_rows(path: Path, places: Positions, target: Path) -> None:
    with TableWriter(target, pq.read_schema(path)) as file:
        for begin in range(0, len(places), ROWS_PER_PASS):
            file.write(read_rows_at(path, places[begin : begin + ROWS_PER_PASS]))


def _read_partition_content(path: Path, clusters: pa.Table, params: Params) -> PartitionContent:
    ids = pq.read_table(path, columns=["record_id"])["record_id"]
    prompts, labels, answers = [], set[str](), 0
    for batch in read_batches(path, ["messages"], record_columns.BATCH):
        messages = batch.column("messages")
        prompts.append(derive_random_numbers(prompt_keys(messages), params.data.seed))
        answers += sum(bool(target) for target in targets(messages).to_pylist())
        labels |= {extract_label(target, params.evaluation) for target in targets(messages).unique().to_pylist()}
    return PartitionContent(
        rows=len(ids),
        prompt_numbers=np.unique(np.concatenate(prompts)),
        clusters=set(cluster_numbers(ids, clusters).tolist()) - {NO_CLUSTER},
        labels=labels,
        rows_with_target=answers,
    )


def _build_result(
    train: PartitionContent, test: PartitionContent, validation: int, counts: Counts, data: Data
) -> SplitResult:
    return SplitResult(
        counts=counts,
        train_rows=train.rows,
        test_rows=test.rows,
        validation_rows=validation,
        groups_on_both_sides=len(np.intersect1d(train.prompt_numbers, test.prompt_numbers, assume_unique=True)),
        near_prompts_on_both_sides=len(train.clusters & test.clusters) if data.near_duplicates else None,
        labels_only_in_test=sorted(test.labels - train.labels - {NO_LABEL}),
    )


def _result_facts(result: SplitResult) -> facts.Facts:
    stated = {
        "train_rows": Fact(value=result.train_rows, unit="rows"),
        "test_rows": Fact(value=result.test_rows, unit="rows"),
        "validation_rows": Fact(value=result.validation_rows, unit="rows", note="of the training rows"),
        "groups_on_both_sides": Fact(
            value=result.groups_on_both_sides, note="prompts, caseless and evenly spaced, in training and test"
        ),
        "labels_only_in_test": Fact(value=len(result.labels_only_in_test), note="labels that no training record has"),
        "prompt_in_test": Fact(value=result.counts.quarantined.get("prompt_in_test", 0), unit="rows"),
        "not_drawn": Fact(value=result.counts.not_drawn, unit="rows"),
    }
    if result.near_prompts_on_both_sides is None:
        return stated
    note = "clusters of near-identical prompts in training and test"
    return stated | {"near_prompts_on_both_sides": Fact(value=result.near_prompts_on_both_sides, note=note)}
