"""Result of stage `deduplicate`, with the metrics that policies check."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact
from tasks.core.params.data import NearDuplicates
from tasks.core.records.record import read_table
from tasks.stages.data.deduplicate import preference
from tasks.stages.data.deduplicate.neighbours import Neighbours
from tasks.stages.data.deduplicate.paraphrases.record_pairs import Paraphrases
from tasks.stages.data.deduplicate.record_columns import RecordColumns
from tasks.stages.data.deduplicate.verdicts import CONFLICT_KEPT, CONFLICT_UNDECIDED, SYNTHETIC_COPY
from tasks.stages.data.quarantine import Counts, stage_counts


class DeduplicateResult(FrozenModel):
    counts: Counts
    by_source: dict[str, Counts]
    kept: str
    """Description of the order of preference that decides which of several records is kept."""
    near: NearDuplicates | None
    """Thresholds for near-duplicates; null if only exact duplicates were removed."""
    contradictions_kept: int
    """Number of kept records that contradict another kept record. Their owners find them in conflicts.parquet."""
    paraphrases: int | None = None
    """Number of pairs of kept records that may contradict each other in other words; null if none were looked for."""
    paraphrases_shown: int = 0
    """Number of these pairs in conflicts.parquet, those most alike."""
    prompts_not_compared: int = 0
    """Number of prompts among which no paraphrases were looked for, since they are too long or too many."""
    near_pairs: int
    """Number of pairs of near-identical prompts."""
    clusters: int
    """Number of clusters: groups of kept records that must be in the same partition."""
    largest_cluster: int
    undeclared_parents: int = 0
    """Number of kept synthetic records with the whole prompt of a real record that they do not name as a parent."""


@dataclass(frozen=True)
class TableCounts:
    """Record counts of the written tables. They reveal a record that is missing or was written twice."""

    kept_by_source: Counter[str]
    rules_by_source: defaultdict[str, list[str]]
    contradictions_kept: int


def count_written_records(folder: Path) -> TableCounts:
    kept = read_table(folder / "records.parquet", ["source_id"])["source_id"]
    quarantine = read_table(folder / "quarantine.parquet", ["source_id", "rule"])
    rules = defaultdict[str, list[str]](list)
    for source, rule in zip(quarantine["source_id"].to_pylist(), quarantine["rule"].to_pylist(), strict=True):
        rules[source].append(rule)
    contrary = read_table(folder / "conflicts.parquet", ["rule"])["rule"].to_pylist()
    return TableCounts(Counter(kept.to_pylist()), rules, contrary.count(CONFLICT_KEPT))


def build_result(
    records: RecordColumns,
    written: TableCounts,
    neighbours: Neighbours | None,
    clusters: pa.Table,
    near: NearDuplicates | None,
    paraphrases: Paraphrases | None,
    undeclared_parents: int = 0,
) -> DeduplicateResult:
    before, kept, rules = Counter(records.source_id.to_pylist()), written.kept_by_source, written.rules_by_source
    sizes = Counter(clusters["cluster"].to_pylist())
    return DeduplicateResult(
        counts=stage_counts("deduplicate", before.total(), kept.total(), chain(*rules.values())),
        by_source={name: stage_counts("deduplicate", before[name], kept[name], rules[name]) for name in sorted(before)},
        kept=preference.PREFERENCE_DESCRIPTION,
        near=near,
        contradictions_kept=written.contradictions_kept,
        paraphrases=paraphrases.found if paraphrases else None,
        paraphrases_shown=len(paraphrases.shown) if paraphrases else 0,
        prompts_not_compared=paraphrases.not_compared if paraphrases else 0,
        near_pairs=len(neighbours.near_identical_pairs) if neighbours else 0,
        clusters=len(sizes),
        largest_cluster=max(sizes.values(), default=0),
        undeclared_parents=undeclared_parents,
    )


def to_facts(result: DeduplicateResult) -> facts.Facts:
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
    if result.undeclared_parents:
        stated["synthetic_undeclared_parents"] = Fact(
            value=result.undeclared_parents,
            unit="rows",
            note="synthetic, around the whole prompt of a real record that they do not name as a parent",
        )
    if result.near is None:
        return stated  # zeros would say that near-identical prompts were looked for
    if result.paraphrases is not None:
        stated["paraphrases"] = Fact(value=result.paraphrases, unit="pairs", note=_paraphrases_note(result))
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


def _paraphrases_note(result: DeduplicateResult) -> str:
    shown = "" if result.paraphrases_shown == result.paraphrases else f"; {result.paraphrases_shown:,} are shown"
    left = f"; {result.prompts_not_compared:,} prompts not compared" if result.prompts_not_compared else ""
    return f"may ask the same in other words, with different targets; both are kept{shown}{left}"
