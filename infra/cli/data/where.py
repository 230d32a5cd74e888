"""`hallmark data where`: everything that a record or a person is in."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.inquiry import access
from tasks.inquiry.lineage import ask, person
from tasks.inquiry.lineage.ask import Membership
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import releases
from tasks.runs.run import installed_governance
from tasks.sources.dataset import SIDES


def where(
    record: Annotated[str | None, typer.Option(metavar="ID", help="A record's id, at least 16 digits.")] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="VALUE", help="A name, e-mail address or number of a person.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why you look a person up. The ledger keeps it.")] = "",
    who: shared.As = None,
    as_json: shared.Json = False,
) -> None:
    """Show every source row, dataset, run and release that a record or a person is in. Records put aside count too.

    To look a person up takes --as, --reason and the vault's key. The ledger records the question before the answer,
    with keyed tokens and without the value. The answer covers the sources whose records you may look at: as their
    owner, as their steward, or by a role in `access`.

    Example: hallmark data where --subject "ada@example.org" --reason "she asked what we hold" --as data-owner
    """
    if (record is None) == (subject is None):
        raise InputError("say either --record ID or --subject VALUE")
    root = shared.root()
    state, governed = root / ".hallmark", installed_governance(root, None)
    ledger = open_ledger(state)
    if subject is None:
        members = _of_record(state, record or "", ledger)
    else:
        members = _of_person(state, subject, reason, shared.identity(who), ledger, governed, as_json)
    released = releases.by_dataset(ledger, governed)
    if notice := released.notice():
        shared.notice(notice, as_json)
    made = {sha256: ask.runs(state, sha256) for sha256 in {member.dataset for member in members}}
    rows = [
        vars(member) | {"runs": made[member.dataset], "releases": _trained_on(member, released.on)}
        for member in members
    ]
    if as_json:
        shared.print_json(rows)
        return
    table = Table("record", "source", "row", "dataset", "side", "runs", "releases", box=None, header_style="bold")
    for member, row in zip(members, rows, strict=True):
        named = (", ".join(row[name]) for name in ("runs", "releases"))
        table.add_row(member.record, member.source_id, str(member.row), member.dataset[:12], member.side, *named)
    console.print(table if rows else "in no dataset, and in nothing that a run keeps beside one")


def _of_record(state: Path, record: str, ledger: Ledger) -> list[Membership]:
    if len(record) < 16 or set(record) - set("0123456789abcdef"):
        raise InputError(f"expected a record's id, at least 16 hex digits, got {record!r}")
    return ask.of_record(state, record)


def _of_person(
    state: Path, value: str, reason: str, who: str, ledger: Ledger, governed: Governance, as_json: bool
) -> list[Membership]:
    looker = access.in_force(governed, who)
    sought = person.find(state, value, looker, reason, ledger)
    if sought.closed:
        shared.notice(f"not looked in, since {who} may not look at their records: {'; '.join(sought.closed)}", as_json)
    return sought.members


def _trained_on(member: Membership, released: dict[str, list[str]]) -> list[str]:
    return released.get(member.dataset, []) if member.side in SIDES else []
