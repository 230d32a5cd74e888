"""Stage `split`: divide the records into training and test records without a common or near-identical prompt.

Prompts that differ only in case, spaces or the values behind placeholders count as the same prompt.

    artefacts/split/train.parquet, test.parquet   tasks.core.records.record.SCHEMA_SCHEMA, in the order of
    `SplitRecords`
    artefacts/split/validation.parquet            tasks.core.records.record.VALIDATION_SCHEMA
    artefacts/split/calibration.parquet           same schema
    artefacts/split/quarantine.parquet            tasks.core.records.record.QUARANTINE_SCHEMA: removed by rule
    prompt_in_test, label_not_trained, parent_in_test or parent_validates
    artefacts/split/not_drawn.parquet             same schema: records beyond data.train_rows and data.test_rows
    artefacts/split/label_findings.parquet        tasks.core.records.record.LABEL_FINDINGS_SCHEMA
    artefacts/split/canaries.parquet              tasks.core.records.record.RECORD_SCHEMA; only if data.canaries is set
    artefacts/split/manifest.json                 tasks.sources.dataset.Dataset
    artefacts/split/result.json                   `SplitResult`

The outputs do not depend on the order of the input records.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core import facts, power
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.files import atomic_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.data import Data
from tasks.core.params.evaluation import Evaluation
from tasks.core.progress import print_progress
from tasks.core.records.record import (
    VALIDATION_SCHEMA,
    TableWriter,
    read_batches,
    read_rows_at,
    read_table,
    write_table,
)
from tasks.core.records.set_aside import CALIBRATION_FILE, VALIDATION_FILE
from tasks.core.records.synthetic import read_parents
from tasks.core.steps.data import LAST_FILTER_STAGE
from tasks.sources.dataset import NOT_SAMPLED_RULE
from tasks.stages.data.quarantine import REMOVED_SCHEMA, add_source_rows, stage_counts
from tasks.stages.data.record_labels import count_labels
from tasks.stages.data.split import canary_table, families, labels, record_columns, synthetic_share
from tasks.stages.data.split.draw import draw_stratified
from tasks.stages.data.split.labels import LABEL_NOT_TRAINED_RULE, LabelFindings
from tasks.stages.data.split.manifest import build_manifest
from tasks.stages.data.split.partition_content import read_partition_content
from tasks.stages.data.split.partitions import NO_RECORD, TEST, TRAIN, assign_partitions
from tasks.stages.data.split.record_columns import Positions, SplitRecords
from tasks.stages.data.split.split_result import MAX_EXAMPLES, SplitResult

ROWS_PER_PASS = 200_000
"""Number of records that are written in one pass over the input, and are in memory at the same time."""


@dataclass(frozen=True)
class Division:
    positions_by_partition: dict[str, Positions]
    """Positions of the kept records, by partition, with the training partition first."""
    removed: pa.Table
    """Records that a rule removes, with the schema REMOVED_SCHEMA. They are fixed for training although their prompt is
    in the fixed test set, or would be tested although no training record has their label."""
    untrained: Positions
    """Positions of the records that were removed because no training record has their label."""
    not_drawn: pa.Table
    """Valid records left out because data.train_rows or data.test_rows was reached, with the schema REMOVED_SCHEMA."""
    validation: Positions
    calibration: Positions


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
    parents = read_parents(layout.artefacts("deduplicate") / "parents.parquet")
    divided = divide_records(records, params.data, _label_numbers(path, records, params), parents)
    sides = divided.positions_by_partition
    _require_both_partitions(divided, params.data)
    with atomic_folder(layout.artefacts("split")) as folder:
        for side, positions in sides.items():
            print_progress("split", f"writing {len(positions):,} {side} records")
            _write_rows(path, records.table_position[positions], folder / f"{side}.parquet")
        canary_table.write_canaries(folder, params.data.canaries, params.data.seed)
        for name, positions in ((VALIDATION_FILE, divided.validation), (CALIBRATION_FILE, divided.calibration)):
            write_table(_set_aside_table(records, divided, positions), folder / name)
        write_table(add_source_rows(divided.removed, layout), folder / "quarantine.parquet")
        write_table(add_source_rows(divided.not_drawn, layout), folder / "not_drawn.parquet")
        print_progress("split", "counting what training will read")
        # Read back, so that the figures describe the files that training reads.
        train, test = (
            read_partition_content(folder / f"{side}.parquet", clusters, params.data.seed, params.evaluation)
            for side in sides
        )
        kept, rules = train.rows + test.rows, divided.removed["rule"].to_pylist()
        if not test.rows_with_target:
            raise InputError(
                "split: none of the test records is a conversation, and plain texts do not show what a model answers; "
                "add a source of conversations with `split: test`"
            )
        removed_places = records.table_position[divided.untrained]
        found, findings = _find_labels(path, removed_places, folder, train.labels, test.labels, params.evaluation)
        write_table(findings, folder / "label_findings.parquet")
        untrained = labels.untrained_record_ids(findings)
        result = SplitResult(
            counts=stage_counts("split", len(records), kept, rules, divided.not_drawn.num_rows),
            train_rows=train.rows,
            test_rows=test.rows,
            validation_rows=len(divided.validation),
            calibration_rows=len(divided.calibration),
            groups_on_both_sides=len(np.intersect1d(train.prompt_numbers, test.prompt_numbers, assume_unique=True)),
            near_prompts_on_both_sides=len(train.clusters & test.clusters) if params.data.near_duplicates else None,
            labels_only_in_test=sorted(found.not_trained & test.labels.keys()),
            untrained_rows=len(untrained),
            untrained_examples=untrained[:MAX_EXAMPLES],
            near_equal_labels=len(found.near_equal),
            detectable_gain=power.smallest_detectable_gain(
                test.rows_with_target, power.ASSUMED_DIFFERING, params.evaluation.confidence
            ),
            synthetic=synthetic_share.read_shares(folder),
            canaries=params.data.canaries,
        )
        made = build_manifest(layout, folder, result.counts, params.data)
        write_json(folder / "manifest.json", made.model_dump(mode="json"))
        write_json(
            folder / "result.json",
            {
                "facts": facts.facts_to_json(result.to_facts()),
                **result.model_dump(mode="json"),
            },
        )
    return result


def _label_numbers(path: Path, records: SplitRecords, params: Params) -> Positions | None:
    if params.data.untrained_labels == "keep":
        return None
    return labels.read_label_numbers(path, params.evaluation)[records.table_position]


def divide_records(
    records: SplitRecords,
    data: Data,
    label_numbers: Positions | None = None,
    parents: Mapping[str, list[str]] = MappingProxyType({}),
) -> Division:
    """Assign the records to partitions, and draw as many as `data` asks for.

    Args:
        records: Records to divide.
        data: Section `data` of params.yaml.
        label_numbers: Number of each record's label; test records whose label no drawn training record has are then
            removed. None to keep them.
        parents: Parents of each synthetic record. Those with a parent in the test or in validation are removed.
    """
    sides = assign_partitions(records, data.test_share, data.validation_share, data.calibration_share)
    clashes = np.flatnonzero(sides.fixed_test_record != NO_RECORD)
    shut_out = records.record_id.take(pa.array(sides.fixed_test_record[clashes]))
    removed = [_removed_table(records, clashes, "prompt_in_test", "its prompt is in the fixed test set", shut_out)]
    children = families.find_leaking_children(records, sides, parents)
    removed += [_removed_table(records, found, rule, families.REASONS[rule]) for rule, found in children.items()]
    leaking = np.concatenate(list(children.values()))
    untrained = np.array([], np.int64)
    kept, over = dict[str, Positions](), []
    for side, most in ((TRAIN, data.train_rows), (TEST, data.test_rows)):
        positions = np.setdiff1d(np.flatnonzero(sides.partition_masks[side]), leaking, assume_unique=True)
        if side == TEST and label_numbers is not None:
            untrained = labels.find_rows_with_unseen_label(label_numbers, kept[TRAIN], positions)
            positions = np.setdiff1d(positions, untrained, assume_unique=True)
            why = "no training record has its label"
            removed.append(_removed_table(records, untrained, LABEL_NOT_TRAINED_RULE, why))
        kept[side] = draw_stratified(records, positions, most)
        reason = f"data.{side}_rows keeps {most} of {len(positions)} {side} records"
        left = np.setdiff1d(positions, kept[side], assume_unique=True)
        over.append(_removed_table(records, left, NOT_SAMPLED_RULE, reason))
    validation, calibration = (kept[TRAIN][mask[kept[TRAIN]]] for mask in (sides.is_validation, sides.is_calibration))
    return Division(kept, pa.concat_tables(removed), untrained, pa.concat_tables(over), validation, calibration)


def _set_aside_table(records: SplitRecords, divided: Division, positions: Positions) -> pa.Table:
    """Return the table of training records that no step uses, given their positions in the order of the partition."""
    places = np.flatnonzero(np.isin(divided.positions_by_partition[TRAIN], positions, assume_unique=True))
    return pa.table([records.record_id.take(pa.array(positions)), places], schema=VALIDATION_SCHEMA)


def _removed_table(
    records: SplitRecords, positions: Positions, rule: str, reason: str, winner: pa.Array | None = None
) -> pa.Table:
    where, size = pa.array(positions), len(positions)
    named = (records.source_id.take(where), records.record_id.take(where))
    kept_instead = pa.nulls(size, pa.string()) if winner is None else winner
    return pa.table([*named, pa.repeat(rule, size), pa.repeat(reason, size), kept_instead], schema=REMOVED_SCHEMA)


def _require_both_partitions(divided: Division, data: Data) -> None:
    for side, positions in divided.positions_by_partition.items():
        if not len(positions):
            raise InputError(
                f"split: none of {sum(map(len, divided.positions_by_partition.values())):,} records is in the {side} "
                f"partition{_untrained_text(divided)}; change data.test_share or data.seed in params.yaml, or give "
                "more records"
            )
    rows, validation = len(divided.positions_by_partition[TRAIN]), len(divided.validation)
    if data.validation_share and validation in (0, rows):
        raise InputError(
            f"split: {validation:,} of {rows:,} training records validate, and some must while others train; change "
            "data.validation_share in params.yaml, or give more records"
        )
    calibration = len(divided.calibration)
    if data.calibration_share and (not calibration or calibration + validation == rows):
        raise InputError(
            f"split: {calibration:,} of {rows:,} training records calibrate and {validation:,} validate; some must "
            "calibrate while others train. Change data.calibration_share in params.yaml, or give more records"
        )


def _untrained_text(divided: Division) -> str:
    count = len(divided.untrained)
    return f", after data.untrained_labels has left {count:,} out whose label is not trained" if count else ""


def _write_rows(path: Path, places: Positions, target: Path) -> None:
    with TableWriter(target, pq.read_schema(path)) as file:
        for begin in range(0, len(places), ROWS_PER_PASS):
            file.write(read_rows_at(path, places[begin : begin + ROWS_PER_PASS]))


def _find_labels(
    path: Path, removed_places: Positions, folder: Path, train: Counter[str], test: Counter[str], settings: Evaluation
) -> tuple[LabelFindings, pa.Table]:
    """Return the labels to look at, and the table of their records.

    Args:
        path: File of the records that the stage reads.
        removed_places: Places in that file of the records that were quarantined because of their label.
        folder: Folder with the files of the partitions.
        train: Number of training records with each label.
        test: Number of test records with each label.
        settings: Section of params.yaml that says what a label is.
    """
    removed = read_rows_at(path, removed_places).select(labels.COLUMNS).to_batches() if len(removed_places) else []
    counts = [count_labels(batch["messages"], settings) for batch in removed]
    found = labels.find_findings(train, test, sum(counts, Counter()))
    parts = {side: read_batches(folder / f"{side}.parquet", labels.COLUMNS, labels.BATCH) for side in (TRAIN, TEST)}
    read = [*parts.items(), ("quarantine", removed)] if found else []
    return found, labels.findings_table(read, found, settings)
