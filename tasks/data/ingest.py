"""Stage `ingest`: sources to records, each row either a record or in quarantine.

Reads each source as it was pinned, normalises and repairs its texts, maps its columns to `tasks.record.SCHEMA` and
protects what is about people, in one pass and before anything is written.

    artefacts/ingest/records.parquet      tasks.record.SCHEMA, in the order of sources and rows
    artefacts/ingest/rows.parquet         where each record came from: record_id, source_id, row
    artefacts/ingest/quarantine.parquet   tasks.record.QUARANTINE
    artefacts/ingest/result.json          `Ingested`
"""

import hmac
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from tasks import facts
from tasks.config import Frozen
from tasks.data.mapping import Reject, to_record
from tasks.data.quarantine import Counts, count, of_row, to_table
from tasks.data.readers import content
from tasks.data.readers.kinds import READERS
from tasks.data.readers.rows import Malformed, Row
from tasks.errors import InputError
from tasks.facts import Fact
from tasks.files import canonical_json, read_json, whole_folder, write_json
from tasks.govern.sources import ResolvedSource, ResolvedSources
from tasks.layout import Layout
from tasks.params import Params
from tasks.record import SCHEMA, write_table

ROWS = pa.schema([("record_id", pa.string()), ("source_id", pa.string()), ("row", pa.int64())])
EXAMPLES = 5
"""Malformed rows named in an error."""


class SourceCounts(Frozen):
    """What became of one source."""

    id: str
    sha256: str
    counts: Counts
    malformed: int
    """Rows, among the quarantined, that are not what the source declares."""
    repaired_texts: int
    dropped_system_turns: int


class Ingested(Frozen):
    counts: Counts
    sources: list[SourceCounts]


@dataclass
class _Intake:
    """What has come out of one source so far."""

    records: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)


def run(params: Params, layout: Layout) -> Ingested:
    """Read every source of inputs/sources.json. Raises InputError for a source that cannot be used."""
    resolved = ResolvedSources.model_validate(read_json(layout.sources))
    _check_tasks(resolved, params)
    intakes = [_take_in(source, params, resolved.cutoff, layout) for source in resolved.sources]
    sources = [_counts(source, intake) for source, intake in zip(resolved.sources, intakes, strict=True)]
    entries = [item for intake in intakes for item in intake.quarantine]
    result = Ingested(
        counts=count(
            "ingest",
            sum(s.counts.rows for s in sources),
            sum(s.counts.records for s in sources),
            (item["rule"] for item in entries),
        ),
        sources=sources,
    )
    with whole_folder(layout.stage("ingest")) as folder:
        write_table(_table([i.records for i in intakes], SCHEMA), folder / "records.parquet")
        write_table(_table([i.rows for i in intakes], ROWS), folder / "rows.parquet")
        write_table(to_table(entries), folder / "quarantine.parquet")
        write_json(folder / "result.json", {"facts": facts.dump(_facts(result)), **result.model_dump(mode="json")})
    return result


def protect(record: dict[str, Any]) -> dict[str, Any]:
    """The record as it may be written. The one place for de-identification: every text of every record passes here
    before it is stored, and nothing after it sees the source. Nothing is detected yet; the record passes unchanged."""
    return record


def _check_tasks(resolved: ResolvedSources, params: Params) -> None:
    for item in resolved.sources:
        task = item.source.constants.task
        if task not in params.prompts:
            raise InputError(
                f"source {item.source.id}: its task {task!r} is not in params.yaml: prompts, which has "
                f"{', '.join(sorted(params.prompts))}; add it there or correct `constants.task` in sources.yaml"
            )


def _take_in(resolved: ResolvedSource, params: Params, cutoff: date | None, layout: Layout) -> _Intake:
    source, intake = resolved.source, _Intake()
    data = content.read(resolved, layout.root)
    for item in READERS[source.kind](data, source):
        try:
            if isinstance(item, Malformed):
                raise Reject(item.rule, item.reason, malformed=True)
            _take_row(item, resolved, cutoff, intake)
        except Reject as reject:
            intake.quarantine.append(of_row(source.id, item.number, reject.rule, reject.reason))
            if reject.malformed:
                intake.malformed.append((item.number, reject.rule))
    _refuse_unusable(resolved, intake, params.data.max_malformed_share)
    return intake


def _take_row(row: Row, resolved: ResolvedSource, cutoff: date | None, intake: _Intake) -> None:
    record = to_record(row.values, resolved.source, intake.notes)
    retired = record["retired_at"]
    if cutoff is not None and retired is not None and retired < cutoff:
        raise Reject("retired", f"retired before {cutoff.isoformat()}, the retention cut-off")
    record = protect({"record_id": _record_id(row.number, record, resolved.sha256), **record})
    intake.records.append(record)
    intake.rows.append({"record_id": record["record_id"], "source_id": resolved.source.id, "row": row.number})


def _record_id(row: int, record: dict[str, Any], source_sha256: str) -> str:
    """Unique, the same for the same source, and not to be guessed by who has not got the source."""
    plain = {name: value.isoformat() if isinstance(value, date) else value for name, value in record.items()}
    return hmac.digest(bytes.fromhex(source_sha256), canonical_json([row, plain]), "sha256").hex()[:32]


def _refuse_unusable(resolved: ResolvedSource, intake: _Intake, most: float) -> None:
    source, rows = resolved.source, len(intake.records) + len(intake.quarantine)
    where = f"source {source.id}: {source.location}"
    if not rows:
        raise InputError(f"{where} is empty; expected at least one row")
    share = len(intake.malformed) / rows
    if share > most:
        examples = ", ".join(f"row {number} ({rule})" for number, rule in intake.malformed[:EXAMPLES])
        raise InputError(
            f"{where}: {len(intake.malformed):,} of {rows:,} rows ({share:.1%}) are malformed, more than "
            f"data.max_malformed_share {most:g} allows: {examples}{', …' if len(intake.malformed) > EXAMPLES else ''}. "
            "Correct the source, or its kind, delimiter or encoding in sources.yaml"
        )
    if not intake.records:
        rules = Counter(item["rule"] for item in intake.quarantine)
        raise InputError(f"{where}: none of its {rows:,} rows can be used: {dict(sorted(rules.items()))}")


def _counts(resolved: ResolvedSource, intake: _Intake) -> SourceCounts:
    rows = len(intake.records) + len(intake.quarantine)
    return SourceCounts(
        id=resolved.source.id,
        sha256=resolved.sha256,
        counts=count("ingest", rows, len(intake.records), (item["rule"] for item in intake.quarantine)),
        malformed=len(intake.malformed),
        repaired_texts=intake.notes["repaired_texts"],
        dropped_system_turns=intake.notes["dropped_system_turns"],
    )


def _table(parts: list[list[dict[str, Any]]], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables(pa.Table.from_pylist(part, schema=schema) for part in parts)


def _facts(result: Ingested) -> facts.Facts:
    worst = max(result.sources, key=lambda source: source.malformed / source.counts.rows)
    return {
        "rows": Fact(value=result.counts.rows, unit="rows"),
        "records": Fact(value=result.counts.records, unit="rows"),
        "malformed_share": Fact(value=worst.malformed / worst.counts.rows, note=f"highest of the sources: {worst.id}"),
        "quarantined_share": Fact(value=result.counts.share, note="over all sources"),
    }
