"""Stage `deduplicate`: keep one of several records that repeat or contradict each other.

Exact duplicates are always removed. If params.yaml: data.near_duplicates is set, the stage also removes
near-duplicates, training text that a fixed test set contains, older editions and contradictions. `verdicts` defines
these rules, and `preference` defines which of several records is kept.

    artefacts/deduplicate/records.parquet      tasks.core.records.record.SCHEMA_SCHEMA, in the order of `clean`
    artefacts/deduplicate/quarantine.parquet   ordered by record_id; each row cites the record kept instead
    artefacts/deduplicate/conflicts.parquet    CONFLICTS_SCHEMA: contradictions, which owners can see side by side
    artefacts/deduplicate/clusters.parquet     CLUSTERS_SCHEMA: kept records that must be in one partition
    artefacts/deduplicate/parents.parquet      families.PARENTS_SCHEMA: parents of kept synthetic records
    artefacts/deduplicate/result.json          `DeduplicateResult`

The outputs depend neither on the order of the records nor on the number of threads.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.files import atomic_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.data import Data, NearDuplicates
from tasks.core.progress import print_progress
from tasks.core.records.record import (
    QUARANTINE_SCHEMA,
    ROW_GROUP_ROWS,
    read_batches,
    read_table,
    write_batches,
    write_table,
)
from tasks.core.records.synthetic import SYNTHETIC_FILE, read_parents
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.deduplicate import duplicates, preference, record_columns
from tasks.stages.data.deduplicate.families import Families
from tasks.stages.data.deduplicate.neighbours import Neighbours, find_neighbours
from tasks.stages.data.deduplicate.record_columns import RecordColumns
from tasks.stages.data.deduplicate.verdicts import (
    CONFLICT_KEPT,
    CONFLICT_UNDECIDED,
    CONTRADICTION_RULES,
    PARENT_QUARANTINED,
    REASONS_BY_RULE,
    SYNTHETIC_COPY,
    Verdict,
)
from tasks.stages.data.quarantine import Counts, stage_counts

RULES_WITHOUT_WINNER = (CONFLICT_UNDECIDED, PARENT_QUARANTINED)
CONFLICTS_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("rule", pa.string()),  # one of `verdicts.CONTRADICTIONS`
        ("other", pa.string()),  # the record that it contradicts
        ("jaccard", pa.float64()),  # of the two prompts
    ]
)
CLUSTERS_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("cluster", pa.string()),  # the smallest record_id of the cluster
    ]
)


class DeduplicateResult(FrozenModel):
    counts: Counts
    by_source: dict[str, Counts]
    kept: str
    """Description of the order of preference that decides which of several records is kept."""
    near: NearDuplicates | None
    """Thresholds for near-duplicates; null if only exact duplicates were removed."""
    contradictions_kept: int
    """Number of kept records that contradict another kept record. Their owners find them in conflicts.parquet."""
    near_pairs: int
    """Number of pairs of near-identical prompts."""
    clusters: int
    """Number of clusters: groups of kept records that must be in the same partition."""
    largest_cluster: int


@dataclass(frozen=True)
class TableCounts:
    """Record counts of the written tables. They reveal a record that is missing or was written twice."""

    kept_by_source: Counter[str]
    rules_by_source: defaultdict[str, list[str]]
    contradictions_kept: int


class Params(FrozenModel):
    """Sections of params.yaml that the stage reads."""

    data: Data


def run(params: Params, layout: Layout) -> DeduplicateResult:
    """Run the stage on the records that `clean` wrote.

    Raises:
        InputError: No record is left.
    """
    path = layout.artefacts("clean") / "records.parquet"
    resolved, near = load_resolved(layout.sources_path), params.data.near_duplicates
    sources, words = [item.source for item in resolved.sources], resolved.edition_words
    print_progress("deduplicate", "reading the records")
    records = record_columns.read_record_columns(path, layout.artefacts("ingest") / "rows.parquet", sources, words)
    judge = _Judge(records, path, words, near)
    judged = judge.judge(orphans := set[int]())
    families = Families(records, read_parents(layout.artefacts("ingest") / SYNTHETIC_FILE))
    while len(found := families.find_orphans(judged.verdicts, orphans)) > len(orphans):
        judged = judge.judge(orphans := found)  # no record is kept, or removed, because of one that is not there
    verdicts, neighbours = judged
    verdicts += [Verdict(orphan, PARENT_QUARANTINED, orphan, 1.0) for orphan in sorted(orphans)]
    keep = np.ones(len(records), bool)
    keep[[verdict.record for verdict in verdicts if verdict.is_removed]] = False
    if not keep.any():
        raise InputError(
            f"deduplicate: none of {len(records):,} records is left; look into artefacts/clean, and into "
            "params.yaml: data.near_duplicates"
        )
    clusters = _clusters_table(records, neighbours, keep)
    print_progress("deduplicate", "writing the tables")
    with atomic_folder(layout.artefacts("deduplicate")) as folder:
        write_batches(_kept(path, keep), pq.read_schema(path), folder / "records.parquet")
        write_table(_quarantine_table(records, verdicts), folder / "quarantine.parquet")
        write_table(_conflicts_table(records, verdicts), folder / "conflicts.parquet")
        write_table(clusters, folder / "clusters.parquet")
        write_table(families.parents_table(verdicts, keep), folder / "parents.parquet")
        result = _build_result(records, _count_written_records(folder), neighbours, clusters, near)
        write_json(
            folder / "result.json",
            {"facts": facts.facts_to_json(_result_facts(result)), **result.model_dump(mode="json")},
        )
    return result


class _Judged(NamedTuple):
    verdicts: list[Verdict]
    neighbours: Neighbours | None
    """Groups of near-identical records; None if data.near_duplicates is not set."""


@dataclass(frozen=True)
class _Judge:
    records: RecordColumns
    path: Path
    edition_words: Sequence[str]
    near: NearDuplicates | None

    def judge(self, left_out: Collection[int]) -> _Judged:
        """Return the verdicts on all records except those at the positions `left_out`."""
        records, order = self.records, preference.preference_order(self.records)
        order = order[~np.isin(order, list(left_out))]
        print_progress("deduplicate", f"exact duplicates among {len(order):,} records")
        winners = duplicates.kept_record_positions(records, order)
        winners[list(left_out)] = list(left_out)
        first = order[winners[order] == order]
        if self.near is not None:
            print_progress("deduplicate", "near-duplicates of what is left")
            neighbours = find_neighbours(records, first, self.near)
            later = neighbours.judge_records(self.path, self.edition_words, winners)
            return _Judged([*_exact_duplicate_verdicts(winners, later), *later], neighbours)
        later = self._synthetic_copies(first, winners)
        return _Judged([*_exact_duplicate_verdicts(winners, later), *later], None)

    def _synthetic_copies(self, order: np.ndarray, winners: np.ndarray) -> list[Verdict]:
        """Return the verdicts on synthetic records alone, which are never kept beside what they copy."""
        if not self.records.is_synthetic.any():
            return []
        print_progress("deduplicate", "copies among the synthetic records")
        neighbours = find_neighbours(self.records, order, NearDuplicates(conflict_jaccard=None))
        verdicts = neighbours.judge_records(self.path, self.edition_words, winners)
        synthetic, copies = self.records.is_synthetic, ("near_test", SYNTHETIC_COPY)
        return [verdict for verdict in verdicts if verdict.rule in copies and synthetic[verdict.record]]


def _exact_duplicate_verdicts(winners: np.ndarray, later: list[Verdict]) -> Iterator[Verdict]:
    """Yield a verdict on each exact duplicate.

    If a later verdict removes the record that was kept instead of a duplicate, the duplicate gets the same verdict. So
    each verdict cites a record that is kept in the end.
    """
    fate = {verdict.record: verdict for verdict in later if verdict.is_removed}
    for record in np.flatnonzero(winners != np.arange(len(winners))).tolist():
        own = Verdict(record, "exact_duplicate", int(winners[record]), 1.0)
        yield fate[own.other_record]._replace(record=record) if own.other_record in fate else own


def _kept(path: Path, keep: np.ndarray) -> Iterator[pa.RecordBatch]:
    begin = 0
    for batch in read_batches(path, rows=ROW_GROUP_ROWS):
        kept = batch.filter(pa.array(keep[begin : begin + len(batch)]))
        begin += len(batch)
        if len(kept):
            yield kept


def _clusters_table(records: RecordColumns, neighbours: Neighbours | None, keep: np.ndarray) -> pa.Table:
    ids, names = [], []
    for group in neighbours.near_identical_groups(np.flatnonzero(keep)) if neighbours else ():
        members = records.record_id.take(pa.array(group)).to_pylist()
        ids += members
        names += [min(members)] * len(members)
    return pa.table([ids, names], schema=CLUSTERS_SCHEMA).sort_by("record_id")


def _quarantine_table(records: RecordColumns, verdicts: list[Verdict]) -> pa.Table:
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


def _conflicts_table(records: RecordColumns, verdicts: list[Verdict]) -> pa.Table:
    contrary = [verdict for verdict in verdicts if verdict.rule in CONTRADICTION_RULES]
    columns = [
        records.record_id.take(pa.array([verdict.record for verdict in contrary], pa.int64())),
        pa.array([verdict.rule for verdict in contrary], pa.string()),
        records.record_id.take(pa.array([verdict.other_record for verdict in contrary], pa.int64())),
        pa.array([verdict.jaccard for verdict in contrary], pa.float64()),
    ]
    return pa.table(columns, schema=CONFLICTS_SCHEMA).sort_by("record_id")


def _count_written_records(folder: Path) -> TableCounts:
    kept = read_table(folder / "records.parquet", ["source_id"])["source_id"]
    quarantine = read_table(folder / "quarantine.parquet", ["source_id", "rule"])
    rules = defaultdict[str, list[str]](list)
    for source, rule in zip(quarantine["source_id"].to_pylist(), quarantine["rule"].to_pylist(), strict=True):
        rules[source].append(rule)
    contrary = read_table(folder / "conflicts.parquet", ["rule"])["rule"].to_pylist()
    return TableCounts(Counter(kept.to_pylist()), rules, contrary.count(CONFLICT_KEPT))


def _build_result(
    records: RecordColumns,
    written: TableCounts,
    neighbours: Neighbours | None,
    clusters: pa.Table,
    near: NearDuplicates | None,
) -> DeduplicateResult:
    before, kept, rules = Counter(records.source_id.to_pylist()), written.kept_by_source, written.rules_by_source
    sizes = Counter(clusters["cluster"].to_pylist())
    return DeduplicateResult(
        counts=stage_counts("deduplicate", before.total(), kept.total(), chain(*rules.values())),
        by_source={name: stage_counts("deduplicate", before[name], kept[name], rules[name]) for name in sorted(before)},
        kept=preference.PREFERENCE_DESCRIPTION,
        near=near,
        contradictions_kept=written.contradictions_kept,
        near_pairs=len(neighbours.near_identical_pairs) if neighbours else 0,
        clusters=len(sizes),
        largest_cluster=max(sizes.values(), default=0),
    )


def _result_facts(result: DeduplicateResult) -> facts.Facts:
    quarantined = result.counts.quarantined
    stated = {
        "records": Fact(value=result.counts.records, unit="rows"),
        "exact_duplicates": Fact(value=quarantined.get("exact_duplicate", 0), unit="rows"),
        "quarantined_share": Fact(value=result.counts.quarantined_share, note="of the records that clean left"),
    }
    if SYNTHETIC_COPY in quarantined:
        stated["synthetic_copies"] = Fact(
            value=quarantined[SYNTHETIC_COPY], unit="rows", note="synthetic, near-identical to a real record"
        )
    if result.near is None:
        return stated  # zeros would say that near-identical prompts were looked for
    return stated | {
        "near_duplicates": Fact(value=quarantined.get("near_duplicate", 0), unit="rows"),
        "near_test": Fact(value=quarantined.get("near_test", 0), unit="rows", note="training text in a fixed test set"),
        "superseded": Fact(value=quarantined.get("superseded", 0), unit="rows", note="older versions"),
        "conflicts": Fact(value=quarantined.get("conflict", 0), unit="rows", note="decided by authority or date"),
        "conflicts_undecided": Fact(
            value=quarantined.get(CONFLICT_UNDECIDED, 0), unit="rows", note="for the owner to decide, aside"
        ),
        "conflicts_kept": Fact(value=result.contradictions_kept, unit="rows", note="for the owner to decide, kept"),
        "largest_cluster": Fact(value=result.largest_cluster, unit="rows", note="near-identical prompts kept"),
    }
