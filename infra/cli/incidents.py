"""`hallmark incidents`: what somebody has to look into, whose it is, and how it ended."""

from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.incidents import incidents
from tasks.incidents.incidents import Incident
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.runs.run import installed_governance

Id = Annotated[str, typer.Argument(metavar="ID", help="Id, as `hallmark incidents list` shows it.")]


def list_incidents(
    every: Annotated[bool, typer.Option("--all", help="Show closed incidents too.")] = False,
    as_json: shared.Json = False,
) -> None:
    """List the open incidents.

    Example: hallmark incidents list
    """
    found = [one for one in incidents.read(*_ledger()) if every or not one.closing]
    if as_json:
        shared.print_json([_document(one) for one in found])
        return
    table = Table("incident", "severity", "state", "opened", "about", "owner", box=None, header_style="bold")
    for one in found:
        opened = f"{one.entry.time:%Y-%m-%d %H:%M} UTC"
        table.add_row(one.id, one.severity, one.state, opened, one.opening.about, _owner(one))
    console.print(table if found else "no incident is open" if not every else "there was no incident")


def show(incident: Id, as_json: shared.Json = False) -> None:
    """Show one incident: what happened, which role owns it, how it ended.

    Example: hallmark incidents show waiver-expired-0a1b2c3d4e5f
    """
    found = incidents.get(*_ledger(), incident)
    shared.print_json(_document(found)) if as_json else console.print(_describe(found))


def close(
    incident: Id,
    reason: Annotated[str, typer.Option(help="What you found and did. The ledger keeps it.")],
    who: shared.As = None,
    as_json: shared.Json = False,
) -> None:
    """Close an incident with your key, in the role that owns it. Nobody closes an incident of their own action.

    Example: hallmark incidents close waiver-expired-0a1b2c3d4e5f --as risk-officer --reason "retraining is planned"
    """
    ledger, governed = _ledger()
    entry = incidents.close(ledger, governed, incident, shared.identity(who), reason)
    document = _document(incidents.get(ledger, governed, incident)) | {"ledger_entry": entry.seq}
    closed = f"{incident} is closed: entry {entry.seq} of the ledger"
    shared.print_json(document) if as_json else console.print(closed)


def _ledger() -> tuple[Ledger, Governance]:
    where = shared.root()
    return open_ledger(where / ".hallmark"), installed_governance(where, None)


def _document(one: Incident) -> dict[str, Any]:
    told = one.opening.model_dump(mode="json", exclude={"deed", "time", "severity"})
    closed = one.closing.model_dump(mode="json", include={"person", "role", "reason", "time"}) if one.closing else None
    return told | {
        "state": one.state,
        "severity": one.severity,
        "opened": one.entry.time.isoformat(),
        "escalated": one.escalation.time.isoformat() if one.escalation else None,
        "closed": closed,
    }


def _owner(one: Incident) -> str:
    return f"role {one.opening.role}" if one.opening.role else "anybody"


def _describe(one: Incident) -> str:
    lines = {
        "incident": f"{one.id}, {one.state}, {one.severity}",
        "about": one.opening.about,
        "what": one.opening.text,
        "opened": f"{one.entry.time:%Y-%m-%d %H:%M} UTC, entry {one.entry.seq} of the ledger",
        "answer by": f"{one.opening.answer_by:%Y-%m-%d %H:%M} UTC" if one.opening.answer_by else "",
        "escalated": f"{one.escalation.time:%Y-%m-%d %H:%M} UTC" if one.escalation else "",
        "owner": _owner(one),
        "deed of": one.opening.by or "",
        "closed": f"{one.closing.time:%Y-%m-%d %H:%M} UTC by {one.closing.person}: {one.closing.reason}"
        if one.closing
        else "",
    }
    return "\n".join(f"{name:<10} {text}" for name, text in lines.items() if text)
