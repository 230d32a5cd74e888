"""Disclosure of one record or row with its original values, to a person with access who gives a reason.

The access is recorded in the ledger before anything is shown. For a record, the texts that `ingest` wrote are shown,
with the vault's values in place of tokens. A row that did not become a record is read from its source again. So is
every row of an experiment, because its unreviewed code could have put another person's token into a text.
"""

import re
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.core.documents.config import FrozenModel, refuse_hidden_characters
from tasks.core.documents.document import document_error_message
from tasks.core.errors import DOCUMENT_ERRORS, InputError, Refused
from tasks.core.files import read_stage_json
from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.core.records.synthetic import SYNTHETIC_FILE, find_descendants, read_parents, read_provenance
from tasks.inquiry import access_entries, quarantined_rows, source_row
from tasks.inquiry.access import Access
from tasks.ledger.ledger import Ledger
from tasks.sources.resolved_sources import ResolvedSource, load_resolved
from tasks.sources.vault import open_vault
from tasks.stages.data.protect.tokens import TOKEN_PATTERN
from tasks.stages.data.readers.rows import Row

ROW_NUMBER_PATTERN = re.compile("[1-9][0-9]{0,17}", re.ASCII)
RECORD_ID_PATTERN = re.compile("[0-9a-f]{32}")


class SyntheticOrigin(FrozenModel):
    generator: str
    """Name and version of the model or script."""
    prompt: str
    """Prompt of the generator as text, or its SHA-256 in hex."""
    parents: list[str]
    """Records that it was made from: SOURCE:ROW."""


class DisclosedRow(FrozenModel):
    record_id: str | None
    """Id of the record; null if the row did not become a record."""
    source_id: str
    row: int
    """Number of the data row in the source, counted from 1."""
    messages: list[dict[str, str]] = []
    """Turns of the record, with original values in place of the tokens that the vault has. Values masked without a
    token stay masked."""
    labelled_by: str = ""
    synthetic: SyntheticOrigin | None = None
    """Origin of a synthetic record; null for any other one."""
    descendants: list[str] = []
    """Synthetic records that were made from this one, directly or through others: SOURCE:ROW."""
    columns: dict[str, str | None] = {}
    """Values by column of a row that was read from its source again; empty for a record, and for a row that cannot be
    parsed."""
    findings: list[str]
    """Reasons why stages quarantined the row, each with the record that was kept instead, if any."""


class RowLocation(NamedTuple):
    record_id: str | None
    source_id: str
    row: int


def disclose_row(layout: Layout, reference: str, access: Access, reason: str, ledger: Ledger) -> DisclosedRow:
    """Record an access in the ledger, then return a record or row of a run with its original values.

    Args:
        layout: Worktree of the run.
        reference: Id of a record, the beginning of an id, or SOURCE:ROW.
        access: Access of the person.
        reason: Reason to record in the ledger.
        ledger: Ledger of the installation.

    Raises:
        InputError: The record or row does not exist, or is no longer available.
        Refused: The person has no access to the source.
    """
    refuse_hidden_characters(reason, "the reason")
    if not (layout.artefacts("ingest") / "result.json").exists():
        raise InputError(f"run {layout.root.name} has no records here; name a run that has been through `ingest`")
    place = _locate_by_row(layout, reference) if ":" in reference else _locate_by_id(layout, reference)
    resolved = _resolved_source(layout, place.source_id)
    access.limit_to_run(layout).require_access(resolved.source)
    if place.record_id is not None and not RECORD_ID_PATTERN.fullmatch(
        place.record_id
    ):  # the id is entered in the ledger
        raise Refused(f"files of run {layout.root.name} name a record by what is no id; nothing is shown")
    if place.record_id is None or layout.is_experiment:
        return _disclose_row(layout, place, resolved, access.person.id, reason, ledger)
    return _disclose_record(layout, place, access.person.id, reason, ledger)


def _locate_by_id(layout: Layout, record_id: str) -> RowLocation:
    rows = read_table(layout.artefacts("ingest") / "rows.parquet", list(RowLocation._fields))
    matching = rows.filter(pc.starts_with(rows["record_id"], record_id))
    if len(matching) != 1:
        what = f"{len(matching):,} records" if len(matching) else "no record"
        raise InputError(f"{what} of run {layout.root.name} begin with {record_id!r}; give more of its id")
    return RowLocation(**matching.to_pylist()[0])


def _locate_by_row(layout: Layout, text: str) -> RowLocation:
    source_id, _, number = text.partition(":")
    _resolved_source(layout, source_id)
    if not ROW_NUMBER_PATTERN.fullmatch(number):
        raise InputError(f"{text!r}: expected SOURCE:ROW, and rows count from 1, e.g. {source_id}:57")
    row, rows = int(number), _counted_rows(layout, source_id)
    if row > rows:
        raise InputError(f"source {source_id} had {rows:,} rows in run {layout.root.name}; there is no row {row:,}")
    wanted = (pc.field("source_id") == source_id) & (pc.field("row") == row)
    matching = pq.read_table(
        layout.artefacts("ingest") / "rows.parquet", columns=list(RowLocation._fields), filters=wanted
    ).to_pylist()
    return RowLocation(**matching[0]) if matching else RowLocation(None, source_id, row)


def _counted_rows(layout: Layout, source_id: str) -> int:
    path = layout.artefacts("ingest") / "result.json"
    try:
        counted = {item["id"]: int(item["counts"]["rows"]) for item in read_stage_json(path)["sources"]}
        return counted[source_id]
    except (OSError, *DOCUMENT_ERRORS) as error:
        raise InputError(
            f"{path}: expected the number of rows of each source ({document_error_message(error)})"
        ) from None


def _resolved_source(layout: Layout, source_id: str) -> ResolvedSource:
    sources = {item.source.id: item for item in load_resolved(layout.sources_path).sources}
    if source_id not in sources:
        raise InputError(f"run {layout.root.name} has no source {source_id!r}; it has {', '.join(sources)}")
    return sources[source_id]


def _disclose_record(layout: Layout, place: RowLocation, person: str, reason: str, ledger: Ledger) -> DisclosedRow:
    path, wanted = layout.artefacts("ingest") / "records.parquet", pc.field("record_id") == place.record_id
    record: dict[str, Any] = pq.read_table(path, filters=wanted).to_pylist()[0]
    if record["source_id"] != place.source_id:  # access was checked for the other source
        raise Refused(f"files of the run disagree about the source of record {place.record_id}; nothing is shown")
    texts = [record["labelled_by"], *(turn["content"] for turn in record["messages"])]
    tokens = {token for text in texts for token in TOKEN_PATTERN.findall(text)}
    values = open_vault(layout.run_state).reveal(
        tokens, access_entries.token_recorder(ledger, record["record_id"], person, reason)
    )
    return DisclosedRow(
        **place._asdict(),
        messages=[turn | {"content": _reveal_tokens(turn["content"], values)} for turn in record["messages"]],
        labelled_by=_reveal_tokens(record["labelled_by"], values),
        **_read_family(layout, record["record_id"]),
        findings=_quarantine_findings(layout, place),
    )


def _read_family(layout: Layout, record_id: str) -> dict[str, Any]:
    path = layout.artefacts("ingest") / SYNTHETIC_FILE
    made = read_provenance(path, record_id)
    descendants = find_descendants(read_parents(path), [record_id])
    wanted = pa.array(sorted({*descendants, *(made.parents if made else ())}), pa.string())
    rows = read_table(layout.artefacts("ingest") / "rows.parquet")
    found = rows.filter(pc.is_in(rows["record_id"], wanted)).to_pylist()
    names = {row["record_id"]: f"{row['source_id']}:{row['row']}" for row in found}
    origin = made and SyntheticOrigin(
        generator=made.generator,
        prompt=made.generator_prompt,
        parents=[names.get(parent, parent) for parent in made.parents],
    )
    return {"synthetic": origin, "descendants": [name for each, name in names.items() if each in descendants]}


def _disclose_row(
    layout: Layout, place: RowLocation, resolved: ResolvedSource, person: str, reason: str, ledger: Ledger
) -> DisclosedRow:
    about = f"{place.source_id}:{place.row}"
    access_entries.record_access(ledger, access_entries.ROW_READ, about, person, reason, {"sha256": resolved.sha256})
    item = source_row.read_row(resolved, place.row, layout)
    columns = source_row.format_values(item.values) if isinstance(item, Row) else {}
    return DisclosedRow(**place._asdict(), columns=columns, findings=_quarantine_findings(layout, place))


def _reveal_tokens(text: str, values: dict[str, str]) -> str:
    return TOKEN_PATTERN.sub(lambda match: values.get(match[1], match[0]), text)


def _quarantine_findings(layout: Layout, place: RowLocation) -> list[str]:
    findings = []
    for entry in quarantined_rows.reasons_for_row(layout, place.source_id, place.row):
        instead = (
            f"; kept instead: {entry.winner_source}, row {entry.winner_row}, {entry.winner}" if entry.winner else ""
        )
        findings.append(f"{entry.stage}: {entry.rule}: {entry.reason}{instead}")
    return findings
