"""Mapping and protection of a batch of rows: each row becomes a record, or is quarantined with the reason.

The work has no side effects, so that any process of the pool can do it.
"""

import hmac
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa

from tasks.core.errors import InputError
from tasks.core.json_text import canonical_json
from tasks.core.records.record import RECORD_SCHEMA, SYNTHETIC
from tasks.core.records.synthetic import SYNTHETIC_SCHEMA
from tasks.sources.protection import Category
from tasks.sources.resolved_sources import ResolvedSource
from tasks.sources.suppression_digests import is_suppressed, person_digest
from tasks.sources.vault_writer import TokenValue
from tasks.stages.data.ingest.jailbreaks import find_jailbreak
from tasks.stages.data.ingest.mapping import RejectedRow, map_row_to_record
from tasks.stages.data.ingest.provenance import PROMPT_DIGEST, Provenance, map_provenance
from tasks.stages.data.protect import records as protecting
from tasks.stages.data.protect.actions import FindCounts, ProtectionOutcome
from tasks.stages.data.protect.records import LABEL_FIELDS, ProtectionContext
from tasks.stages.data.protect.words import RecordText
from tasks.stages.data.quarantine import quarantine_entry, to_quarantine_table
from tasks.stages.data.readers.rows import MalformedRow, Row

ROWS_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("source_id", pa.string()),
        ("row", pa.int64()),
        ("document", pa.string()),  # HMAC of document and heading; null if its source does not map them
    ]
)
SEARCHED_FIELDS = ("messages", "policy_tags", *LABEL_FIELDS)
"""Fields of a record that `protect` changes if they hold personal or secret text. Who labelled a record is not one of
its people."""


class MappedRow(NamedTuple):
    number: int
    record: dict[str, Any]
    document: str | None
    """Digest of the document and heading that the row is of; None if its source does not map them."""
    provenance: Provenance | None
    """Provenance of a synthetic record; None for any other record."""


@dataclass
class ProcessedBatch:
    """Records and quarantine entries from a batch of rows. Only `secrets` contains protected values in plain text."""

    records: pa.Table
    rows: pa.Table
    synthetic: pa.Table
    quarantine: pa.Table
    malformed: list[tuple[int, str]]
    """Row number and rule of each row that does not have the format that its source declares."""
    rules: Counter[str]
    mapping_counts: Counter[str]
    """Numbers of repaired texts (`repaired_texts`), removed system turns (`dropped_system_turns`), and turns left out
    of conversations (`dropped_turns`)."""
    protected: Counter[Category]
    finds: FindCounts
    """Finds of the owner's detectors."""
    secrets: list[TokenValue]


@dataclass
class _BatchBuilder:
    records: list[dict[str, Any]] = field(default_factory=list)
    rows: list[MappedRow] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    protected: Counter[Category] = field(default_factory=Counter)
    finds: FindCounts = field(default_factory=FindCounts)
    secrets: list[TokenValue] = field(default_factory=list)


@dataclass(frozen=True)
class BatchProcessor:
    resolved: ResolvedSource
    as_of: date
    protection_context: ProtectionContext
    record_key: bytes
    """HMAC key from which record ids are derived (`tasks.sources.vault_keys.VaultKeys.records`)."""
    suppressed: frozenset[str] = frozenset()
    """Digests of the people and rows that are left out (`tasks.sources.suppression_digests`)."""

    def __call__(self, items: Sequence[Row | MalformedRow]) -> ProcessedBatch:
        """Map and protect a batch of rows.

        Raises:
            InputError: A row contains text of a category whose action in sources.yaml is `stop`.
        """
        tray = _BatchBuilder()
        mapped = list(self._map_rows(items, tray))
        personal = self._find_personal_texts(mapped)
        outcomes = protecting.protect_records([row.record for row in mapped], self.protection_context)
        for row, (record, outcome) in zip(mapped, outcomes, strict=True):
            self._add_outcome(row, record, outcome, personal, tray)
        return self._to_batch(tray)

    def _map_rows(self, items: Sequence[Row | MalformedRow], tray: _BatchBuilder) -> Iterator[MappedRow]:
        for item in items:
            try:
                if isinstance(item, MalformedRow):
                    raise RejectedRow(item.rule, item.reason, malformed=not item.is_usual)
                record = self._map_row(item, tray.notes)
                provenance = self._map_provenance(item, record) if record["origin"] == SYNTHETIC else None
                yield MappedRow(item.number, record, self._document_digest(item), provenance)
            except RejectedRow as reject:
                self._reject(item.number, reject, tray)

    def _map_row(self, row: Row, notes: Counter[str]) -> dict[str, Any]:
        record = map_row_to_record(row.values, self.resolved.source, notes)
        effective, retired, cutoff = record["effective_from"], record["retired_at"], self.resolved.cutoff
        if retired is not None and retired <= self.as_of:
            raise RejectedRow("retired", f"retired by {self.as_of.isoformat()}")
        if cutoff is not None and effective is not None and effective < cutoff:
            raise RejectedRow(
                "past_retention", f"from before {cutoff.isoformat()}, the retention cut-off of its source"
            )
        return {"record_id": self._record_id(row.number), **record}

    def _map_provenance(self, row: Row, record: dict[str, Any]) -> Provenance:
        provenance = map_provenance(row.values, self.resolved.source)
        if form := find_jailbreak(RecordText(turn["content"]).decoded.text for turn in record["messages"]):
            raise RejectedRow("jailbreak", f"is synthetic and has a well-known form of a jailbreak: {form.name}")
        return provenance

    def _find_personal_texts(self, rows: Sequence[MappedRow]) -> dict[str, str]:
        """Return the categories of what generators and their prompts hold and the source does not keep, by text.

        Names of people are no finding in a generator, because models are called like people.
        """
        prompts = [row.provenance.prompt for row in rows if row.provenance]
        generators = {row.provenance.generator for row in rows if row.provenance}
        texts = list(dict.fromkeys([*filter(lambda text: not PROMPT_DIGEST.fullmatch(text), prompts), *generators]))
        blank = {"policy_tags": [], "labelled_by": "", **dict.fromkeys(LABEL_FIELDS, "")}
        asked = [blank | {"messages": [{"role": "user", "content": text}]} for text in texts]
        protected = protecting.protect_records(asked, self.protection_context) if asked else iter(())
        found = {}
        for text, (record, outcome) in zip(texts, protected, strict=True):
            categories = self._not_kept(outcome)
            only_name = text in generators and text not in prompts and categories == ["name"]
            if outcome.is_undetectable or (record["messages"][0]["content"] != text and not only_name):
                found[text] = ", ".join(categories)
        return found

    def _not_kept(self, outcome: ProtectionOutcome) -> list[Category]:
        protection = self.protection_context.protection
        return sorted(category for category in outcome.counts if protection.action_for(category) != "keep")

    def _record_id(self, row: int) -> str:
        """Return an HMAC of source and row number. Only the holder of the vault's key can trace it to the row.

        A digest of the row's texts would allow anyone with the record to guess the masked values and verify the
        guesses.
        """
        place = canonical_json([self.resolved.sha256, self.resolved.source.id, row])
        return hmac.digest(self.record_key, place, "sha256").hex()[:32]

    def _document_digest(self, row: Row) -> str | None:
        """Return an HMAC of the document and heading that a row is of; None if its source does not say them.

        The source is left out, so that editions of a document may lie in several sources.
        """
        mapping = self.resolved.source.mapping
        named = [row.values.get(column) if column else None for column in (mapping.document, mapping.heading)]
        if named[0] in (None, ""):
            return None
        part = canonical_json(["document", *("" if each is None else str(each) for each in named)])
        return hmac.digest(self.record_key, part, "sha256").hex()[:32]

    def _add_outcome(
        self,
        row: MappedRow,
        record: dict[str, Any],
        outcome: ProtectionOutcome,
        personal_texts: Mapping[str, str],
        tray: _BatchBuilder,
    ) -> None:
        number = row.number
        if is_suppressed(record, self.suppressed, self.record_key):
            self._reject(number, RejectedRow("erased", "is about a person who is to be forgotten"), tray)
            return
        tray.protected.update(outcome.counts)
        tray.finds.update(outcome.finds)
        if outcome.stop_category:
            raise InputError(
                f"source {self.resolved.source.id}: row {number} holds text of class {outcome.stop_category}, for "
                "which `protect` in sources.yaml says stop. Take it out of the source, or say drop or mask"
            )
        if outcome.is_undetectable:
            reason = "holds a text too long, or too slow to read, to say what of it is about people"
            self._reject(number, RejectedRow("undetectable", reason), tray)
            return
        if row.provenance and (where := self._find_personal_part(row, record, outcome, personal_texts)):
            reason = f"is synthetic, and {where}, which no generated record may have"
            self._reject(number, RejectedRow("synthetic_personal", reason), tray)
            return
        if outcome.drop_category:
            reason = f"holds text of class {outcome.drop_category}, for which its source says drop"
            self._reject(number, RejectedRow(f"holds_{outcome.drop_category}", reason), tray)
            return
        if outcome.has_duplicate_field_names:
            reason = "names of fields in its target are replaced by the same placeholder; say tokenise for their class"
            self._reject(number, RejectedRow("same_names", reason), tray)
            return
        tray.records.append(record)
        tray.rows.append(row)
        # Who labelled a record is none of its subjects. The vault takes no value of somebody who is to be forgotten.
        tray.secrets += [each for each in outcome.secrets if person_digest(each.token) not in self.suppressed]

    def _find_personal_part(
        self, row: MappedRow, record: dict[str, Any], outcome: ProtectionOutcome, personal_texts: Mapping[str, str]
    ) -> str:
        """Return the part of a synthetic row that holds personal or secret text, in words; empty if none does."""
        assert row.provenance
        parts = {"its text": ", ".join(self._not_kept(outcome))} if _was_replaced(row, record) else {}
        named = {"its generator's prompt": row.provenance.prompt, "its generator's name": row.provenance.generator}
        parts |= {part: personal_texts[text] for part, text in named.items() if text in personal_texts}
        held = (f"{part} holds text of class {classes or 'unknown'}" for part, classes in parts.items())
        return " and ".join(held)

    def _reject(self, number: int, reject: RejectedRow, tray: _BatchBuilder) -> None:
        tray.quarantine.append(quarantine_entry(self.resolved.source.id, number, reject.rule, reject.reason))
        if reject.malformed:
            tray.malformed.append((number, reject.rule))

    def _to_batch(self, tray: _BatchBuilder) -> ProcessedBatch:
        rows = [
            {"record_id": row.record["record_id"], "source_id": row.record["source_id"]}
            | {"row": row.number, "document": row.document}
            for row in tray.rows
        ]
        synthetic = [
            {"record_id": row.record["record_id"], "source_id": row.record["source_id"]}
            | {"generator": made.generator, "generator_prompt": made.prompt, "parents": made.parents}
            for row in tray.rows
            if (made := row.provenance)
        ]
        return ProcessedBatch(
            records=pa.Table.from_pylist(tray.records, schema=RECORD_SCHEMA),
            rows=pa.Table.from_pylist(rows, schema=ROWS_SCHEMA),
            synthetic=pa.Table.from_pylist(synthetic, schema=SYNTHETIC_SCHEMA),
            quarantine=to_quarantine_table(sorted(tray.quarantine, key=lambda item: item["row"])),
            malformed=tray.malformed,
            rules=Counter(item["rule"] for item in tray.quarantine),
            mapping_counts=tray.notes,
            protected=tray.protected,
            finds=tray.finds,
            secrets=tray.secrets,
        )


def _was_replaced(row: MappedRow, record: dict[str, Any]) -> bool:
    return any(record[name] != row.record[name] for name in SEARCHED_FIELDS)
