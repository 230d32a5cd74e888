"""One record as its source had it: behind a finding, for somebody who may look, with a reason, on the ledger."""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from tasks.config import Frozen
from tasks.data.access import Access
from tasks.data.protect.tokens import IN_TEXT
from tasks.errors import InputError
from tasks.govern.ledger import Ledger
from tasks.govern.sources import Source, load_resolved
from tasks.govern.vault import open_vault
from tasks.layout import Layout
from tasks.record import read_table


class Shown(Frozen):
    record_id: str
    source_id: str
    row: int
    """1-based data row of its source."""
    messages: list[dict[str, str]]
    """As the source has them, as far as the vault knows; what was masked stays masked."""
    labelled_by: str
    findings: list[str]
    """Why stages put it aside, with the record kept instead where there is one."""


def show(layout: Layout, record_id: str, access: Access, reason: str, ledger: Ledger) -> Shown:
    """The record of a run. Raises InputError for one that is not there, Refused for who may not look."""
    record, row = _find(layout, record_id)
    access.check(_source(layout, record["source_id"]))
    texts = [record["labelled_by"], *(turn["content"] for turn in record["messages"])]
    tokens = {token for text in texts for token in IN_TEXT.findall(text)}
    values = open_vault(layout.state).reveal(tokens, ledger, access.person.id, reason, record["record_id"])
    return Shown(
        record_id=record["record_id"],
        source_id=record["source_id"],
        row=row,
        messages=[turn | {"content": _spelled_out(turn["content"], values)} for turn in record["messages"]],
        labelled_by=_spelled_out(record["labelled_by"], values),
        findings=_findings(layout, record["record_id"]),
    )


def _find(layout: Layout, record_id: str) -> tuple[dict[str, Any], int]:
    path = layout.stage("ingest") / "records.parquet"
    if not path.exists():
        raise InputError(f"run {layout.root.name} has no records here; name a run that has been through `ingest`")
    table = read_table(path)
    found = table.filter(pc.starts_with(table["record_id"], record_id)).to_pylist()
    if len(found) != 1:
        what = "no record" if not found else f"{len(found)} records"
        raise InputError(f"{what} of run {layout.root.name} begin with {record_id!r}; give more of its id")
    rows = read_table(layout.stage("ingest") / "rows.parquet")
    row = rows.filter(pc.equal(rows["record_id"], found[0]["record_id"]))["row"].to_pylist()[0]
    return found[0], row


def _source(layout: Layout, source_id: str) -> Source:
    resolved = load_resolved(layout.sources)
    return next(item.source for item in resolved.sources if item.source.id == source_id)


def _spelled_out(text: str, values: dict[str, str]) -> str:
    return IN_TEXT.sub(lambda match: values.get(match[1], match[0]), text)


def _findings(layout: Layout, record_id: str) -> list[str]:
    found = []
    for path in sorted(Path(layout.root / "artefacts").glob("*/quarantine.parquet")):
        table = read_table(path)
        for entry in table.filter(pc.equal(table["record_id"], record_id)).to_pylist():
            instead = f"; kept instead: {entry['winner']}" if entry["winner"] else ""
            found.append(f"{path.parent.name}: {entry['rule']}: {entry['reason']}{instead}")
    return found
