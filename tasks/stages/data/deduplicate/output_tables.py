"""Tables that stage `deduplicate` writes beside its records, and what they are made of."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tasks.core.records.record import QUARANTINE_SCHEMA
from tasks.stages.data.deduplicate.neighbours import Neighbours
from tasks.stages.data.deduplicate.paraphrases.candidates import Candidate
from tasks.stages.data.deduplicate.record_columns import RecordColumns
from tasks.stages.data.deduplicate.verdicts import (
    CONFLICT_PARAPHRASED,
    CONFLICT_UNDECIDED,
    CONTRADICTION_RULES,
    PARENT_QUARANTINED,
    REASONS_BY_RULE,
    Verdict,
)

RULES_WITHOUT_WINNER = (CONFLICT_UNDECIDED, PARENT_QUARANTINED)
CONFLICTS_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("rule", pa.string()),  # one of `verdicts.CONTRADICTION_RULES`, or `verdicts.CONFLICT_PARAPHRASED`
        ("other", pa.string()),  # the record that it contradicts
        ("jaccard", pa.float64()),  # of the two prompts; null for paraphrases
        ("likeness", pa.float64()),  # cosine similarity of the two prompts to the sentence model, for paraphrases only
    ]
)
CLUSTERS_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("cluster", pa.string()),  # the smallest record_id of the cluster
    ]
)


def clusters_table(records: RecordColumns, neighbours: Neighbours | None, keep: np.ndarray) -> pa.Table:
    ids, names = [], []
    for group in neighbours.near_identical_groups(np.flatnonzero(keep)) if neighbours else ():
        members = records.record_id.take(pa.array(group)).to_pylist()
        ids += members
        names += [min(members)] * len(members)
    return pa.table([ids, names], schema=CLUSTERS_SCHEMA).sort_by("record_id")


def quarantine_table(records: RecordColumns, verdicts: list[Verdict]) -> pa.Table:
    verdicts = [verdict for verdict in verdicts if verdict.is_removed]
    went = pa.array([verdict.record for verdict in verdicts], pa.int64())
    kept = pa.array(
        [None if verdict.rule in RULES_WITHOUT_WINNER else verdict.other_record for verdict in verdicts], pa.int64()
    )
    columns = [
        records.source_id.take(went),
        pa.array(records.row[went.to_numpy()], pa.int64()),
        records.record_id.take(went),
        pa.array([verdict.rule for verdict in verdicts], pa.string()),
        pa.array([REASONS_BY_RULE[verdict.rule] for verdict in verdicts], pa.string()),
        records.record_id.take(kept),
    ]
    return pa.table(columns, schema=QUARANTINE_SCHEMA).sort_by("record_id")


def conflicts_table(records: RecordColumns, verdicts: list[Verdict], paraphrased: Sequence[Candidate]) -> pa.Table:
    rows: list[tuple[int, str, int, float | None, float | None]] = [
        (verdict.record, verdict.rule, verdict.other_record, verdict.jaccard, None)
        for verdict in verdicts
        if verdict.rule in CONTRADICTION_RULES
    ]
    rows += [(pair.first, CONFLICT_PARAPHRASED, pair.second, None, pair.likeness) for pair in paraphrased]
    record, rule, other, jaccard, likeness = zip(*rows, strict=True) if rows else ((),) * 5
    columns = [
        records.record_id.take(pa.array(record, pa.int64())),
        pa.array(rule, pa.string()),
        records.record_id.take(pa.array(other, pa.int64())),
        pa.array(jaccard, pa.float64()),
        pa.array(likeness, pa.float64()),
    ]
    return pa.table(columns, schema=CONFLICTS_SCHEMA).sort_by("record_id")
