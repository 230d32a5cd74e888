"""`hallmark data where`: everything that a record or a person is in."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.data import lineage
from tasks.data.lineage import Membership
from tasks.data.protect.tokens import token
from tasks.errors import InputError
from tasks.govern import vault_keys
from tasks.govern.ledger.ledger import open_ledger
from tasks.govern.protection import IDENTIFYING
from tasks.registry import releases
from tasks.runs.run import installed_governance


def where(
    record: Annotated[str | None, typer.Option(metavar="ID", help="A record's id, at least 16 digits.")] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="VALUE", help="A name, e-mail address or number of a person.")
    ] = None,
    as_json: shared.Json = False,
) -> None:
    """Every source row, dataset, run and release that a record or a person is in, records put aside among them.

    A person is looked up by keyed tokens: the index holds nothing readable, and the vault's key is needed.

    Example: hallmark data where --subject "ada@example.org"
    """
    if (record is None) == (subject is None):
        raise InputError("say either --record ID or --subject VALUE")
    root = shared.root()
    found = _members(root / ".hallmark", record, subject)
    released = releases.by_dataset(open_ledger(root / ".hallmark"), installed_governance(root, None))
    if told := released.notice():
        shared.notice(told, as_json)
    made = {sha256: lineage.runs(root / ".hallmark", sha256) for sha256 in {member.dataset for member in found}}
    rows = [
        vars(member) | {"runs": made[member.dataset], "releases": _trained_on(member, released.on)} for member in found
    ]
    if as_json:
        shared.print_json(rows)
        return
    table = Table("record", "source", "row", "dataset", "side", "runs", "releases", box=None, header_style="bold")
    for member, row in zip(found, rows, strict=True):
        named = (", ".join(row[name]) for name in ("runs", "releases"))
        table.add_row(member.record, member.source_id, str(member.row), member.dataset[:12], member.side, *named)
    console.print(table if rows else "in no dataset, and in nothing that was put aside")


def _members(state: Path, record: str | None, subject: str | None) -> list[Membership]:
    if subject is not None:
        if not subject.strip():
            raise InputError("--subject is empty; give a name, an address or a number of the person")
        key = vault_keys.load(state).tokens
        return lineage.of_subjects(state, [token(category, subject, key) for category in sorted(IDENTIFYING)])
    if record is None or len(record) < 16 or set(record) - set("0123456789abcdef"):
        raise InputError(f"expected a record's id, at least 16 hex digits, got {record!r}")
    return lineage.of_record(state, record)


def _trained_on(member: Membership, released: dict[str, list[str]]) -> list[str]:
    return [] if member.side == lineage.ASIDE else released.get(member.dataset, [])
