"""Reading of one source: its rows become records or quarantine, in tables of the source's own.

`intake.Intake` processes batches of rows, on as many processes as there are cores. The values of tokens are in the
vault before a table with the tokens is written. `ingest` joins the tables of all sources.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from tasks.core.config import Frozen
from tasks.core.errors import InputError
from tasks.core.files import write_json
from tasks.core.progress import Progress, announce
from tasks.core.record import QUARANTINE, SCHEMA, Writer
from tasks.sources.protection import Action, Category
from tasks.sources.sources import ResolvedSource, ResolvedSources, Source
from tasks.sources.vault_writer import VaultWriter
from tasks.stages.data.ingest.intake import ROWS, Intake, Taken
from tasks.stages.data.ingest.pool import Pool, batched
from tasks.stages.data.protect.recognise import detect
from tasks.stages.data.protect.records import Guard
from tasks.stages.data.quarantine import Counts
from tasks.stages.data.readers import content
from tasks.stages.data.readers.kinds import READERS
from tasks.stages.data.readers.rows import Malformed, Row

BATCH = 1_000
"""Maximum number of rows in a batch."""
CHARACTERS = 2_000_000
"""Number of characters at which a batch ends: two batches for each process are in memory, however long rows are."""
EXAMPLES = 5
"""Maximum number of malformed rows named in an error."""
TOKENS = pa.schema([("token", pa.string())])
TABLES = {"records": SCHEMA, "rows": ROWS, "quarantine": QUARANTINE, "tokens": TOKENS}
"""Schemas of the tables, by name: those of one source, and those of all sources together."""
COUNTS = "counts.json"


class SourceCounts(Frozen):
    """Counts of one source in `ingest`."""

    id: str
    sha256: str
    counts: Counts
    malformed: int
    """Number of quarantined rows that are not what the source declares."""
    repaired_texts: int
    dropped_system_turns: int
    protected: dict[Category, int]
    """Number of finds of each class."""
    actions: dict[Category, Action]
    """Action on each class that was found."""


class Tables:
    """Writers of the tables of `TABLES` in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, ExitStack()
        self._open: dict[str, Writer] = {}

    def write(self, name: str, table: pa.Table) -> None:
        self._open[name].write(table)

    def __enter__(self) -> Self:
        for name, schema in TABLES.items():
            self._open[name] = self._stack.enter_context(Writer(self._folder / f"{name}.parquet", schema))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


@dataclass(frozen=True)
class Desk:
    """Settings and resources with which all sources of a run are read."""

    every: ResolvedSources
    most_malformed: float
    """Maximum share of malformed rows of a source: `data.max_malformed_share`."""
    root: Path
    """Folder at which relative locations start."""
    vault: VaultWriter
    pool: Pool


@dataclass
class _Tally:
    """Counts of a source while it is read."""

    records: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    malformed: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    protected: Counter[Category] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        return self.records + self.rules.total()

    def add(self, taken: Taken) -> None:
        self.records += taken.records.num_rows
        self.rules += taken.rules
        self.malformed += len(taken.malformed)
        self.examples = (self.examples + taken.malformed)[:EXAMPLES]
        self.notes += taken.notes
        self.protected += taken.protected


def read(resolved: ResolvedSource, desk: Desk, folder: Path) -> None:
    """Write the tables of a source, and its `SourceCounts` as counts.json, to `folder`.

    Raises:
        InputError: The source cannot be used, or its content is not the pinned content.
    """
    with Tables(folder) as tables:
        tally = _take_in(resolved, desk, tables)
    _refuse_unusable(resolved, tally, desk.most_malformed)
    write_json(folder / COUNTS, _counts(resolved, tally).model_dump(mode="json"))


def _take_in(resolved: ResolvedSource, desk: Desk, tables: Tables) -> _Tally:
    source, tally = resolved.source, _Tally()
    known: set[str] = set()
    guard = Guard(
        detect.find_all, source.protect, desk.every.terms, desk.vault.keys.tokens, source.named, source.personal
    )
    intake = Intake(resolved, desk.every.as_of, guard, desk.vault.keys.records)
    announce("ingest", f"fetching {source.id}")
    with content.read(resolved, desk.root) as pinned:
        rows, progress = _mapped(READERS[source.kind](pinned.file, source), source), Progress("ingest", pinned.lines)
        batches = batched(rows, BATCH, _characters, CHARACTERS)
        for taken in desk.pool.in_order(intake, batches):
            new = [secret for secret in taken.secrets if secret.token not in known]
            desk.vault.keep(new)
            known.update(secret.token for secret in new)
            for name, table in (("records", taken.records), ("rows", taken.rows), ("quarantine", taken.quarantine)):
                tables.write(name, table)
            tally.add(taken)
            progress.tell(tally.rows, source.id)
    tables.write("tokens", pa.table({"token": sorted(known)}, schema=TOKENS))
    return tally


def _mapped(rows: Iterator[Row | Malformed], source: Source) -> Iterator[Row | Malformed]:
    """Drop unmapped columns, of which a row may have 10,000: two batches for each process are in memory."""
    wanted = source.mapping.columns()
    for row in rows:
        yield Row(row.number, {n: row.values[n] for n in wanted if n in row.values}) if isinstance(row, Row) else row


def _characters(item: Row | Malformed) -> int:
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


def _refuse_unusable(resolved: ResolvedSource, tally: _Tally, most: float) -> None:
    source = resolved.source
    where = f"source {source.id}: {source.location}"
    if not tally.rows:
        raise InputError(f"{where} has a header and no rows; expected at least one row")
    share = tally.malformed / tally.rows
    if share > most:
        examples = ", ".join(f"row {number} ({rule})" for number, rule in tally.examples)
        raise InputError(
            f"{where}: {tally.malformed:,} of {tally.rows:,} rows ({share:.1%}) are malformed, more than "
            f"data.max_malformed_share {most:g} allows: {examples}{', …' if tally.malformed > EXAMPLES else ''}. "
            "Correct the source, or its kind, delimiter or encoding in sources.yaml"
        )
    if not tally.records:
        raise InputError(f"{where}: none of its {tally.rows:,} rows can be used: {dict(sorted(tally.rules.items()))}")


def _counts(resolved: ResolvedSource, tally: _Tally) -> SourceCounts:
    quarantined = dict(sorted(tally.rules.items()))
    return SourceCounts(
        id=resolved.source.id,
        sha256=resolved.sha256,
        counts=Counts(rows=tally.rows, records=tally.records, quarantined=quarantined),
        malformed=tally.malformed,
        repaired_texts=tally.notes["repaired_texts"],
        dropped_system_turns=tally.notes["dropped_system_turns"],
        protected={category: tally.protected[category] for category in sorted(tally.protected)},
        actions={category: resolved.source.protect.action(category) for category in sorted(tally.protected)},
    )
