"""Reader of one source, which turns its rows into records or quarantine entries.

`BatchProcessor` processes batches of rows, on as many processes as there are cores. The values of tokens are in the
vault before a table with the tokens is written. Each source has its own tables, which `ingest` joins.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import pyarrow as pa

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.files import write_json
from tasks.core.progress import ProgressReporter, print_progress
from tasks.core.records.record import QUARANTINE_SCHEMA, RECORD_SCHEMA, TableWriter
from tasks.core.records.synthetic import SYNTHETIC_SCHEMA
from tasks.sources.owner_detectors import DetectorCount, OwnerDetector
from tasks.sources.protection import Action, Category
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
from tasks.sources.sources import Source
from tasks.sources.vault_writer import VaultWriter
from tasks.stages.data.ingest.batch_processor import ROWS_SCHEMA, BatchProcessor, ProcessedBatch
from tasks.stages.data.ingest.pool import BatchPool, batch_by_weight
from tasks.stages.data.protect.actions import Find, FindCounts
from tasks.stages.data.protect.owner_detectors.kinds import check_files
from tasks.stages.data.protect.owner_detectors.pinned_files import PinnedDetector, copy_detector, locate_detector
from tasks.stages.data.protect.recognisers import detector
from tasks.stages.data.protect.records import ProtectionContext
from tasks.stages.data.quarantine import Counts
from tasks.stages.data.readers import content
from tasks.stages.data.readers.folder_stream import describe_left_out
from tasks.stages.data.readers.kinds import read_rows
from tasks.stages.data.readers.rows import MalformedRow, Row

BATCH_ROWS = 1_000
BATCH_CHARACTERS = 2_000_000
"""Number of characters at which a batch ends early. The limit bounds memory, because two batches for each process are
in memory at a time."""
MAX_EXAMPLES = 5
TOKENS_SCHEMA = pa.schema([("token", pa.string())])
TABLE_SCHEMAS = {
    "records": RECORD_SCHEMA,
    "rows": ROWS_SCHEMA,
    "synthetic": SYNTHETIC_SCHEMA,
    "quarantine": QUARANTINE_SCHEMA,
    "tokens": TOKENS_SCHEMA,
}
COUNTS_FILE = "counts.json"


class SourceCounts(FrozenModel):
    """Counts of the rows, records and protected values of one source."""

    id: str
    sha256: str
    counts: Counts
    malformed: int
    """Number of quarantined rows that do not have the format that the source declares."""
    repaired_texts: int
    dropped_system_turns: int
    dropped_turns: int = 0
    """Number of turns left out of conversations: before the user's first turn, and after the assistant's last."""
    protected: dict[Category, int]
    """Number of personal or secret values found, by category."""
    actions: dict[Category, Action]
    """Action that sources.yaml sets for each category that was found."""
    detected: dict[str, dict[Category, DetectorCount]] = {}
    """Finds of each detector that the owner has added, by name of the detector and category."""


class TableWriters:
    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, ExitStack()
        self._open: dict[str, TableWriter] = {}

    def write(self, name: str, table: pa.Table) -> None:
        self._open[name].write(table)

    def __enter__(self) -> Self:
        for name, schema in TABLE_SCHEMAS.items():
            self._open[name] = self._stack.enter_context(TableWriter(self._folder / f"{name}.parquet", schema))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


@dataclass(frozen=True)
class ReadContext:
    resolved: ResolvedSources
    max_malformed_share: float
    root: Path
    """Folder against which relative locations of sources are resolved."""
    vault: VaultWriter
    pool: BatchPool


@dataclass
class _SourceTally:
    records: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    malformed: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    protected: Counter[Category] = field(default_factory=Counter)
    finds: FindCounts = field(default_factory=FindCounts)

    @property
    def rows(self) -> int:
        return self.records + self.rules.total()

    def add(self, taken: ProcessedBatch) -> None:
        self.records += taken.records.num_rows
        self.rules += taken.rules
        self.malformed += len(taken.malformed)
        self.examples = (self.examples + taken.malformed)[:MAX_EXAMPLES]
        self.notes += taken.mapping_counts
        self.protected += taken.protected
        self.finds += taken.finds


def read_source(resolved: ResolvedSource, context: ReadContext, folder: Path) -> None:
    """Read a source, and write its tables and its counts (`SourceCounts`, as counts.json) to `folder`.

    Raises:
        InputError: The source cannot be used, or its content has changed since it was pinned.
    """
    with TableWriters(folder) as tables, _copy_detectors(resolved.source, context, folder) as detectors:
        tally = _process_rows(resolved, context, tables, detectors)
    _refuse_unusable(resolved, tally, context.max_malformed_share)
    write_json(folder / COUNTS_FILE, _source_counts(resolved, tally).model_dump(mode="json"))


@contextmanager
def _copy_detectors(source: Source, desk: ReadContext, folder: Path) -> Iterator[list[PinnedDetector]]:
    """Copy the owner's detectors next to `folder` during the block, so that they cannot change while they are read.

    The name of the copies begins with a dot, so the source cache removes those of a process that was killed.
    """
    if not source.detectors:
        yield []
        return
    print_progress("ingest", f"copying the detectors of {source.id}")
    with TemporaryDirectory(dir=folder.parent, prefix=".detectors-") as copies:
        located = [locate_detector(source, detector, desk.root) for detector in source.detectors]
        pinned = [copy_detector(each, Path(copies)) for each in located]
        for each in pinned:
            check_files(each)
        yield pinned


def _process_rows(
    resolved: ResolvedSource, desk: ReadContext, tables: TableWriters, detectors: Sequence[PinnedDetector]
) -> _SourceTally:
    source, tally = resolved.source, _SourceTally()
    known: set[str] = set()
    guard = ProtectionContext(
        detector.detect_spans,
        source.protect,
        desk.resolved.terms,
        desk.vault.keys.tokens,
        source.declared_labels,
        source.personal,
        detectors,
    )
    suppressed = frozenset(desk.resolved.suppressed)
    intake = BatchProcessor(resolved, desk.resolved.as_of, guard, desk.vault.keys.records, suppressed)
    print_progress("ingest", f"fetching {source.id}")
    with content.open_pinned_content(resolved, desk.root) as pinned:
        if pinned.left_out:
            print_progress("ingest", f"reading {source.id}; left out: {describe_left_out(pinned.left_out)}")
        rows, progress = (
            _select_mapped_columns(read_rows(pinned.file, source, pinned.scratch), source),
            ProgressReporter("ingest", pinned.line_count),
        )
        batches = batch_by_weight(rows, BATCH_ROWS, _count_characters, BATCH_CHARACTERS)
        for processed in desk.pool.map_in_order(intake, batches):
            new = [secret for secret in processed.secrets if secret.token not in known]
            desk.vault.add_values(new)
            known.update(secret.token for secret in new)
            for name, table in (
                ("records", processed.records),
                ("rows", processed.rows),
                ("synthetic", processed.synthetic),
                ("quarantine", processed.quarantine),
            ):
                tables.write(name, table)
            tally.add(processed)
            progress.report(tally.rows, source.id)
    tables.write("tokens", pa.table({"token": sorted(known)}, schema=TOKENS_SCHEMA))
    return tally


def _select_mapped_columns(rows: Iterator[Row | MalformedRow], source: Source) -> Iterator[Row | MalformedRow]:
    """Drop unmapped columns to save memory, because a row can have 10,000 of them."""
    wanted = source.mapping.mapped_columns()
    for row in rows:
        yield Row(row.number, {n: row.values[n] for n in wanted if n in row.values}) if isinstance(row, Row) else row


def _count_characters(item: Row | MalformedRow) -> int:
    characters, left = 0, list(item.values.values()) if isinstance(item, Row) else []
    while left:
        value = left.pop()
        if isinstance(value, str | bytes):
            characters += len(value)
        elif isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return characters


def _refuse_unusable(resolved: ResolvedSource, tally: _SourceTally, most: float) -> None:
    source = resolved.source
    where = f"source {source.id}: {source.location}"
    if not tally.rows:
        raise InputError(f"{where} has a header and no rows; expected at least one row")
    share = tally.malformed / tally.rows
    if share > most:
        examples = ", ".join(f"row {number} ({rule})" for number, rule in tally.examples)
        raise InputError(
            f"{where}: {tally.malformed:,} of {tally.rows:,} rows ({share:.1%}) are malformed, more than "
            f"data.max_malformed_share {most:g} allows: {examples}{', …' if tally.malformed > MAX_EXAMPLES else ''}. "
            "Correct the source, or its kind, delimiter or encoding in sources.yaml"
        )
    if not tally.records:
        raise InputError(f"{where}: none of its {tally.rows:,} rows can be used: {dict(sorted(tally.rules.items()))}")


def _source_counts(resolved: ResolvedSource, tally: _SourceTally) -> SourceCounts:
    quarantined = dict(sorted(tally.rules.items()))
    return SourceCounts(
        id=resolved.source.id,
        sha256=resolved.sha256,
        counts=Counts(rows=tally.rows, records=tally.records, quarantined=quarantined),
        malformed=tally.malformed,
        repaired_texts=tally.notes["repaired_texts"],
        dropped_system_turns=tally.notes["dropped_system_turns"],
        dropped_turns=tally.notes["dropped_turns"],
        protected={category: tally.protected[category] for category in sorted(tally.protected)},
        actions={category: resolved.source.protect.action_for(category) for category in sorted(tally.protected)},
        detected={each.name: _detector_counts(each, tally.finds) for each in resolved.source.detectors},
    )


def _detector_counts(detector: OwnerDetector, finds: FindCounts) -> dict[Category, DetectorCount]:
    return {
        category: DetectorCount(
            found=finds[Find(detector.name, category, False)], added=finds[Find(detector.name, category, True)]
        )
        for category in detector.categories
    }
