"""Stage `deduplicate`: keep one of several records that repeat or contradict each other.

Exact duplicates are always removed. If params.yaml: data.near_duplicates is set, the stage also removes
near-duplicates, training text that a fixed test set contains, older editions and contradictions. `verdicts` defines
these rules, and `preference` defines which of several records is kept. Pairs of kept records that may contradict each
other in other words are shown to their owners (`paraphrases`).

    artefacts/deduplicate/records.parquet      tasks.core.records.record.SCHEMA_SCHEMA, in the order of `clean`
    artefacts/deduplicate/quarantine.parquet   ordered by record_id; each row cites the record kept instead
    artefacts/deduplicate/conflicts.parquet    output_tables.CONFLICTS_SCHEMA: contradictions and possible ones, which
                                               owners see in pairs
    artefacts/deduplicate/clusters.parquet     output_tables.CLUSTERS_SCHEMA: kept records that must be in one partition
    artefacts/deduplicate/parents.parquet      families.PARENTS_SCHEMA: parents of kept synthetic records
    artefacts/deduplicate/result.json          `DeduplicateResult`

The outputs depend neither on the order of the records nor on the number of threads.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.files import atomic_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.data import Data, NearDuplicates
from tasks.core.progress import print_progress
from tasks.core.records.record import (
    ROW_GROUP_ROWS,
    read_batches,
    write_batches,
    write_table,
)
from tasks.core.records.synthetic import SYNTHETIC_FILE, read_parents
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.deduplicate import duplicates, output_tables, preference, record_columns
from tasks.stages.data.deduplicate.contained_prompts import find_contained_prompts
from tasks.stages.data.deduplicate.deduplicate_result import (
    DeduplicateResult,
    build_result,
    count_written_records,
    to_facts,
)
from tasks.stages.data.deduplicate.families import Families
from tasks.stages.data.deduplicate.neighbours import Neighbours, find_neighbours
from tasks.stages.data.deduplicate.paraphrases.record_pairs import find_paraphrases
from tasks.stages.data.deduplicate.record_columns import RecordColumns
from tasks.stages.data.deduplicate.verdicts import (
    PARENT_QUARANTINED,
    SYNTHETIC_COPY,
    Verdict,
)


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
    limit = near.paraphrase_limit if near else None
    paraphrases = find_paraphrases(records, path, keep, verdicts, limit) if limit else None
    shown = paraphrases.shown if paraphrases else []
    clusters = output_tables.clusters_table(records, neighbours, keep)
    undeclared = families.find_undeclared(find_contained_prompts(records, keep), verdicts)
    print_progress("deduplicate", "writing the tables")
    with atomic_folder(layout.artefacts("deduplicate")) as folder:
        write_batches(_kept(path, keep), pq.read_schema(path), folder / "records.parquet")
        write_table(output_tables.quarantine_table(records, verdicts), folder / "quarantine.parquet")
        write_table(output_tables.conflicts_table(records, verdicts, shown), folder / "conflicts.parquet")
        write_table(clusters, folder / "clusters.parquet")
        write_table(families.parents_table(verdicts, keep, undeclared), folder / "parents.parquet")
        written = count_written_records(folder)
        result = build_result(records, written, neighbours, clusters, near, paraphrases, len(undeclared))
        write_json(
            folder / "result.json",
            {"facts": facts.facts_to_json(to_facts(result)), **result.model_dump(mode="json")},
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
