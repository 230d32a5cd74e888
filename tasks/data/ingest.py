"""Stage `ingest`: sources to records, each row either a record or in quarantine.

Reads each source as it was pinned, normalises and repairs its texts, maps its columns to `tasks.record.SCHEMA` and
protects what is about people, in one pass and before anything is written. Batches of rows go through `intake.Intake`,
on as many processes as there are cores; values behind tokens are in the vault before any output is there.

    artefacts/ingest/records.parquet      tasks.record.SCHEMA, in the order of sources and rows
    artefacts/ingest/rows.parquet         where each record came from: record_id, source_id, row
    artefacts/ingest/quarantine.parquet   tasks.record.QUARANTINE
    artefacts/ingest/tokens.parquet       every token that the vault must know
    artefacts/ingest/result.json          `Ingested`
"""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from tasks import facts
from tasks.config import Frozen
from tasks.data import pool
from tasks.data.intake import ROWS, Intake, Taken
from tasks.data.progress import Progress
from tasks.data.protect.recognise import detect
from tasks.data.protect.records import Guard
from tasks.data.quarantine import Counts
from tasks.data.readers import content
from tasks.data.readers.kinds import READERS
from tasks.errors import InputError
from tasks.facts import Fact
from tasks.files import read_json, whole_folder, write_json
from tasks.govern import vault as vaults
from tasks.govern.protection import Action, Category
from tasks.govern.sources import ResolvedSource, ResolvedSources
from tasks.govern.vault import Vault
from tasks.layout import Layout
from tasks.params import Params
from tasks.record import QUARANTINE, SCHEMA, Writer

BATCH = 2_000
"""Rows that go to a process together."""
EXAMPLES = 5
"""Malformed rows named in an error."""
TOKENS = pa.schema([("token", pa.string())])


class SourceCounts(Frozen):
    """What became of one source."""

    id: str
    sha256: str
    counts: Counts
    malformed: int
    """Rows, among the quarantined, that are not what the source declares."""
    repaired_texts: int
    dropped_system_turns: int
    protected: dict[Category, int]
    """How often text of each class was found."""
    actions: dict[Category, Action]
    """What was done with each class that was found."""


class Ingested(Frozen):
    counts: Counts
    sources: list[SourceCounts]


@dataclass
class _Tally:
    """What has come out of one source so far, in numbers."""

    records: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    malformed: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    found: Counter[Category] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        return self.records + self.rules.total()

    def add(self, taken: Taken) -> None:
        self.records += taken.records.num_rows
        self.rules += taken.rules
        self.malformed += len(taken.malformed)
        self.examples = (self.examples + taken.malformed)[:EXAMPLES]
        self.notes += taken.notes
        self.found += taken.found


class _Output:
    """The stage's tables while they are written, and the vault that is told first."""

    def __init__(self, folder: Path, vault: Vault, stack: ExitStack) -> None:
        self.vault = vault
        self.tokens: set[str] = set()
        schemas = {"records": SCHEMA, "rows": ROWS, "quarantine": QUARANTINE}
        self.tables = {
            name: stack.enter_context(Writer(folder / f"{name}.parquet", schema)) for name, schema in schemas.items()
        }

    def put(self, taken: Taken) -> None:
        new = [secret for secret in taken.secrets if secret.token not in self.tokens]
        self.vault.keep(new)
        self.tokens.update(secret.token for secret in new)
        self.tables["records"].write(taken.records)
        self.tables["rows"].write(taken.rows)
        self.tables["quarantine"].write(taken.quarantine)


def run(params: Params, layout: Layout) -> Ingested:
    """Read every source of inputs/sources.json.

    Raises InputError for a source that cannot be used, and for a vault whose key is not the run's: nothing is read
    then, and nothing written.
    """
    resolved = ResolvedSources.model_validate(read_json(layout.sources))
    _check_tasks(resolved, params)
    vault = _vault(resolved, layout)
    with whole_folder(layout.stage("ingest")) as folder:
        with ExitStack() as stack:
            output = _Output(folder, vault, stack)
            sources = [_take_in(source, resolved, params, layout, output) for source in resolved.sources]
        tokens = pa.table({"token": sorted(output.tokens)}, schema=TOKENS)
        with Writer(folder / "tokens.parquet", TOKENS) as file:
            file.write(tokens)
        result = Ingested(counts=_total(sources), sources=sources)
        write_json(folder / "result.json", {"facts": facts.dump(_facts(result)), **result.model_dump(mode="json")})
    return result


def _check_tasks(resolved: ResolvedSources, params: Params) -> None:
    for item in resolved.sources:
        task = item.source.constants.task
        if task not in params.prompts:
            raise InputError(
                f"source {item.source.id}: its task {task!r} is not in params.yaml: prompts, which has "
                f"{', '.join(sorted(params.prompts))}; add it there or correct `constants.task` in sources.yaml"
            )


def _vault(resolved: ResolvedSources, layout: Layout) -> Vault:
    vault = vaults.open_vault(layout.state)
    if vault.keys.fingerprint != resolved.vault:
        raise InputError(
            f"the run was resolved with the vault's key {resolved.vault[:12]}…, and the key given is "
            f"{vault.keys.fingerprint[:12]}…; give the run its own key, or start a new run. Nothing was written"
        )
    return vault


def _take_in(
    resolved: ResolvedSource, every: ResolvedSources, params: Params, layout: Layout, output: _Output
) -> SourceCounts:
    source = resolved.source
    guard = Guard(detect.find_all, source.protect, every.terms, output.vault.keys.tokens, source.named)
    data = content.read(resolved, layout.root)
    rows, progress = READERS[source.kind](data, source), Progress("ingest", data.count(b"\n"))
    tally = _Tally()
    for taken in pool.in_order(Intake(resolved, every.as_of, guard), pool.batched(rows, BATCH)):
        output.put(taken)
        tally.add(taken)
        progress.tell(tally.rows, source.id)
    _refuse_unusable(resolved, tally, params.data.max_malformed_share)
    return _counts(resolved, tally)


def _refuse_unusable(resolved: ResolvedSource, tally: _Tally, most: float) -> None:
    source = resolved.source
    where = f"source {source.id}: {source.location}"
    if not tally.rows:
        raise InputError(f"{where} is empty; expected at least one row")
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
        protected={category: tally.found[category] for category in sorted(tally.found)},
        actions={category: resolved.source.protect.action(category) for category in sorted(tally.found)},
    )


def _total(sources: list[SourceCounts]) -> Counts:
    rules: Counter[str] = Counter()
    for source in sources:
        rules.update(source.counts.quarantined)
    return Counts(
        rows=sum(source.counts.rows for source in sources),
        records=sum(source.counts.records for source in sources),
        quarantined=dict(sorted(rules.items())),
    )


def _facts(result: Ingested) -> facts.Facts:
    worst = max(result.sources, key=lambda source: source.malformed / source.counts.rows)
    protected = sum(sum(source.protected.values()) for source in result.sources)
    return {
        "rows": Fact(value=result.counts.rows, unit="rows"),
        "records": Fact(value=result.counts.records, unit="rows"),
        "malformed_share": Fact(value=worst.malformed / worst.counts.rows, note=f"highest of the sources: {worst.id}"),
        "quarantined_share": Fact(value=result.counts.share, note="over all sources"),
        "protected": Fact(
            value=protected, note="stretches of personal or secret text found, whatever was done with them"
        ),
    }
