"""Rows of a source as records: mapped, protected, or put aside with the reason. Pure, so any process can do it."""

import hmac
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from tasks.core.errors import InputError
from tasks.core.files import canonical_json
from tasks.core.record import SCHEMA
from tasks.sources.protection import Category
from tasks.sources.sources import ResolvedSource
from tasks.sources.vault_writer import Secret
from tasks.stages.data.ingest.mapping import Reject, to_record
from tasks.stages.data.protect import records as protecting
from tasks.stages.data.protect.actions import Outcome
from tasks.stages.data.protect.records import Guard
from tasks.stages.data.quarantine import of_row, to_table
from tasks.stages.data.readers.rows import Malformed, Row

ROWS = pa.schema([("record_id", pa.string()), ("source_id", pa.string()), ("row", pa.int64())])
"""Where each record came from."""


@dataclass
class Taken:
    """What came of a batch of rows. Nothing in it is readable about a person, but for `secrets`."""

    records: pa.Table
    rows: pa.Table
    quarantine: pa.Table
    malformed: list[tuple[int, str]]
    """Row and rule of those that are not what their source declares."""
    rules: Counter[str]
    notes: Counter[str]
    """`repaired_texts`, `dropped_system_turns`."""
    protected: Counter[Category]
    """How often each protected class was found."""
    secrets: list[Secret]


@dataclass
class _Tray:
    """What has come of the batch so far."""

    records: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    protected: Counter[Category] = field(default_factory=Counter)
    secrets: list[Secret] = field(default_factory=list)


@dataclass(frozen=True)
class Intake:
    """Takes in rows of one source."""

    resolved: ResolvedSource
    as_of: date
    guard: Guard
    record_key: bytes
    """`tasks.sources.vault_keys.VaultKeys.records`"""

    def __call__(self, items: Sequence[Row | Malformed]) -> Taken:
        """Raises InputError where a row holds what its source says must stop the run."""
        tray = _Tray()
        mapped = list(self._mapped(items, tray))
        for number, (record, outcome) in zip(
            (number for number, _ in mapped), protecting.protect([r for _, r in mapped], self.guard), strict=True
        ):
            self._put(number, record, outcome, tray)
        return self._taken(tray)

    def _mapped(self, items: Sequence[Row | Malformed], tray: _Tray) -> Iterator[tuple[int, dict[str, Any]]]:
        for item in items:
            try:
                if isinstance(item, Malformed):
                    raise Reject(item.rule, item.reason, malformed=True)
                yield item.number, self._record(item, tray.notes)
            except Reject as reject:
                self._reject(item.number, reject, tray)

    def _record(self, row: Row, notes: Counter[str]) -> dict[str, Any]:
        record = to_record(row.values, self.resolved.source, notes)
        begun, retired, cutoff = record["effective_from"], record["retired_at"], self.resolved.cutoff
        if retired is not None and retired <= self.as_of:
            raise Reject("retired", f"retired by {self.as_of.isoformat()}")
        if cutoff is not None and begun is not None and begun < cutoff:
            raise Reject("past_retention", f"from before {cutoff.isoformat()}, the retention cut-off of its source")
        return {"record_id": self._record_id(row.number), **record}

    def _record_id(self, row: int) -> str:
        """Says where the record comes from, to the holder of the vault's key alone, and nothing of what stands in it.

        A digest of the row's texts would let anybody who has the record try what was masked in it.
        """
        place = canonical_json([self.resolved.sha256, self.resolved.source.id, row])
        return hmac.digest(self.record_key, place, "sha256").hex()[:32]

    def _put(self, number: int, record: dict[str, Any], outcome: Outcome, tray: _Tray) -> None:
        tray.protected.update(outcome.counts)
        if outcome.stopped:
            raise InputError(
                f"source {self.resolved.source.id}: row {number} holds text of class {outcome.stopped}, for which "
                "`protect` in sources.yaml says stop. Take it out of the source, or say drop or mask"
            )
        if outcome.undetectable:
            reason = "holds a text too long, or too slow to read, to say what of it is about people"
            self._reject(number, Reject("undetectable", reason), tray)
            return
        if outcome.dropped:
            reason = f"holds text of class {outcome.dropped}, for which its source says drop"
            self._reject(number, Reject(f"holds_{outcome.dropped}", reason), tray)
            return
        tray.records.append(record)
        tray.numbers.append(number)
        tray.secrets += outcome.secrets

    def _reject(self, number: int, reject: Reject, tray: _Tray) -> None:
        tray.quarantine.append(of_row(self.resolved.source.id, number, reject.rule, reject.reason))
        if reject.malformed:
            tray.malformed.append((number, reject.rule))

    def _taken(self, tray: _Tray) -> Taken:
        rows = [
            {"record_id": record["record_id"], "source_id": record["source_id"], "row": number}
            for record, number in zip(tray.records, tray.numbers, strict=True)
        ]
        return Taken(
            records=pa.Table.from_pylist(tray.records, schema=SCHEMA),
            rows=pa.Table.from_pylist(rows, schema=ROWS),
            quarantine=to_table(sorted(tray.quarantine, key=lambda item: item["row"])),
            malformed=tray.malformed,
            rules=Counter(item["rule"] for item in tray.quarantine),
            notes=tray.notes,
            protected=tray.protected,
            secrets=tray.secrets,
        )
