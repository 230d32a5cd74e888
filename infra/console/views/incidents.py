"""Incidents: what somebody has to look into, whose it is, and how it ended."""

from datetime import datetime

from infra.console.site import Here
from infra.console.views.asked import Asked, keys_of
from tasks.core.config import Frozen
from tasks.incidents import incidents as record
from tasks.incidents import signed_incident
from tasks.incidents.incidents import Incident
from tasks.incidents.signed_incident import Opening, may_not_close
from tasks.policy.people import Person


class IncidentRow(Frozen):
    incident: str
    severity: str
    state: str
    opened: datetime
    about: str
    text: str
    owner: str
    answer_by: datetime | None
    by: str
    """Whose deed it is about; empty: nobody's."""
    entry: int
    closed: str
    """By whom and why; empty while it is open."""


class Incidents(Frozen):
    rows: list[IncidentRow]
    """Open ones first, then the newest."""


def incidents(here: Here, person: Person) -> Incidents:
    """Open ones first, then the newest."""
    known = [row(each) for each in record.read(here.ledger, here.governance)]
    newest = sorted(known, key=lambda each: each.opened, reverse=True)
    return Incidents(rows=sorted(newest, key=lambda each: each.state == "closed"))


class IncidentPage(Frozen):
    incident: IncidentRow
    may_not: str
    """Why this person may not close it, in words; empty where they may."""
    asked_of: Asked | None
    """What their browser signs to close it; null where they may not."""


def incident(here: Here, person: Person, incident: str) -> IncidentPage:
    """Raises InputError where there is none of that id."""
    found = record.get(here.ledger, here.governance, incident)
    may_not = "it is closed" if found.closing else may_not_close(found.opening, person, here.now)
    asked = None if may_not else _asked(here, found.opening, person)
    return IncidentPage(incident=row(found), may_not=may_not or "", asked_of=asked)


def _asked(here: Here, opened: Opening, person: Person) -> Asked:
    return Asked(
        path=f"/incidents/{opened.id}",
        type=signed_incident.TYPE,
        person=person.id,
        keys=keys_of(here, person),
        about={
            "deed": "close", "id": opened.id, "cause": opened.cause, "role": opened.role,
            "environment": opened.environment,
        },
        digests=[opened.cause],
    )  # fmt: skip


def row(each: Incident) -> IncidentRow:
    closing = each.closing
    return IncidentRow(
        incident=each.id,
        severity=each.severity,
        state=each.state,
        opened=each.entry.time,
        about=each.opening.about,
        text=each.opening.text,
        owner=f"role {each.opening.role}" if each.opening.role else "anybody",
        answer_by=each.opening.answer_by,
        by=each.opening.by or "",
        entry=each.entry.seq,
        closed=f"{closing.person}: {closing.reason}" if closing else "",
    )
