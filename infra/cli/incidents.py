"""Command group `hallmark incidents`, which lists, shows and closes incidents."""

from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.formatting import format_time
from tasks.incidents import incidents
from tasks.incidents.incidents import Incident, IncidentSummary

Id = Annotated[str, typer.Argument(metavar="ID", help="Id, as `hallmark incidents list` shows it.")]


def list_incidents(
    every: Annotated[bool, typer.Option("--all", help="Show closed incidents too.")] = False,
    as_json: shared.Json = False,
) -> None:
    """List the open incidents.

    Example: hallmark incidents list
    """
    here = shared.open_checkout()
    listed = [
        incident for incident in incidents.read_all(here.ledger, here.governance) if every or not incident.closing
    ]
    if as_json:
        shared.print_json([_document(incident) for incident in listed])
        return
    table = Table("incident", "severity", "state", "opened", "about", "owner", box=None, header_style="bold")
    for it in (incident.summary for incident in listed):
        table.add_row(it.id, it.severity, it.state, format_time(it.opened), it.about, it.owner)
    console.print(table if listed else "no incident is open" if not every else "there was no incident")


def show(incident: Id, as_json: shared.Json = False) -> None:
    """Show one incident: its cause, the role that owns it, and how it was closed.

    Example: hallmark incidents show waiver-expired-0a1b2c3d4e5f
    """
    here = shared.open_checkout()
    shown = incidents.get_incident(here.ledger, here.governance, incident)
    shared.print_json(_document(shown)) if as_json else console.print(_describe(shown.summary))


def close(
    incident: Id,
    reason: Annotated[str, typer.Option(help="What you found and did. The ledger keeps it.")],
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Close an incident with your key, in the role that owns it. You may not close an incident that you caused.

    Example: hallmark incidents close waiver-expired-0a1b2c3d4e5f --as risk-officer --reason "retraining is planned"
    """
    here = shared.open_checkout()
    ledger, governed = here.ledger, here.governance
    entry = incidents.close_incident(ledger, governed, incident, shared.acting_person(who), reason)
    document = _document(incidents.get_incident(ledger, governed, incident)) | {"ledger_entry": entry.seq}
    closed = f"{incident} is closed: entry {entry.seq} of the ledger"
    shared.print_json(document) if as_json else console.print(closed)


def _document(incident: Incident) -> dict[str, Any]:
    return incident.summary.model_dump(mode="json", exclude={"entry"})


def _describe(it: IncidentSummary) -> str:
    lines = {
        "incident": f"{it.id}, {it.state}, {it.severity}",
        "about": it.about,
        "what": it.text,
        "opened": f"{format_time(it.opened)}, entry {it.entry} of the ledger",
        "answer by": format_time(it.answer_by) if it.answer_by else "",
        "escalated": format_time(it.escalated) if it.escalated else "",
        "owner": it.owner,
        "deed of": it.by or "",
        "closed": f"{format_time(it.closed.time)} by {it.closed.person}: {it.closed.reason}" if it.closed else "",
    }
    return "\n".join(f"{name:<10} {text}" for name, text in lines.items() if text)
