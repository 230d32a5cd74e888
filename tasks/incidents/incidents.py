"""Opening, escalation and closing of incidents.

Hallmark opens one incident for each cause. A person with the role that owns the incident closes it, with a reason and a
signature. Ledger entries without a valid signature have no effect. An incident blocks nothing: a release stays in
production until a person decides otherwise.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.core.documents.config import FrozenModel, IsoTime, checked_reason
from tasks.core.errors import InputError, Refused
from tasks.incidents import signed_incident
from tasks.incidents.signed_incident import (
    CLOSED,
    CLOSING,
    ESCALATED,
    OPENED,
    Closing,
    Escalation,
    IncidentKind,
    Opening,
    Severity,
    cause_digest,
    closing_obstacle,
)
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft, DraftFunction

__all__ = ["Incident", "IncidentSummary", "close", "escalate_overdue", "get", "open_if_new", "read_all"]


class IncidentClosing(FrozenModel):
    person: str
    role: str | None
    reason: str
    time: datetime


class IncidentSummary(FrozenModel):
    """Incident as shown by commands and pages. `Opening` describes the first fields."""

    id: str
    what: IncidentKind
    about: str
    cause: str
    role: str | None
    text: str
    by: str | None
    answer_by: datetime | None
    environment: str
    state: str
    """Current state: `open`, `escalated` or `closed`."""
    severity: Severity
    opened: IsoTime
    escalated: IsoTime | None
    closed: IncidentClosing | None
    entry: int

    @property
    def owner(self) -> str:
        return f"role {self.role}" if self.role else "anybody"


@dataclass(frozen=True)
class Incident:
    entry: Entry
    opening: Opening
    escalation: Escalation | None
    closing: Closing | None

    @property
    def id(self) -> str:
        return self.opening.id

    @property
    def severity(self) -> Severity:
        return self.escalation.severity if self.escalation else self.opening.severity

    @property
    def state(self) -> str:
        return "closed" if self.closing else "escalated" if self.escalation else "open"

    @property
    def summary(self) -> IncidentSummary:
        said = self.opening.model_dump(exclude={"deed", "time", "severity"})
        closing, shown = self.closing, set(IncidentClosing.model_fields)
        return IncidentSummary(
            **said,
            state=self.state,
            severity=self.severity,
            opened=self.entry.time,
            escalated=self.escalation.time if self.escalation else None,
            closed=IncidentClosing(**closing.model_dump(include=shown)) if closing else None,
            entry=self.entry.seq,
        )


def open_if_new(
    ledger: Ledger,
    governance: Governance,
    what: IncidentKind,
    about: str,
    facts: dict[str, Any],
    severity: Severity,
    role: str | None,
    text: str,
    by: str | None = None,
    answer_by: datetime | None = None,
    more: dict[str, Any] | None = None,
    recurs: bool = False,
) -> Entry | None:
    """Open an incident, unless one was opened for the same cause before.

    Args:
        ledger: Ledger to record in.
        governance: Governance in force.
        what: Kind of the incident.
        about: Release, or name of a model.
        facts: JSON values that distinguish the cause from others of the same kind.
        severity: Severity until the incident is escalated.
        role: Role that may close the incident; None for everybody, if policy names no role.
        text: Description of the event and of the required action.
        by: Id of the person who caused the incident and may not close it.
        answer_by: Time after which the open incident is escalated; None for never.
        more: Unsigned details for the body of the entry.
        recurs: Whether the same cause opens a new incident after the earlier one was closed.

    Returns:
        The entry of the ledger; None if no incident was opened.
    """
    cause = cause_digest(what, about, facts)
    with ledger.transaction():
        known = [incident for incident in read_all(ledger, governance) if incident.opening.cause == cause]
        if known and not (recurs and known[-1].closing):
            return None
        opening = Opening(
            id=f"{what}-{cause[:12]}{f'-{len(known) + 1}' if known else ''}", what=what, about=about, cause=cause,
            severity=severity, role=role, text=text, by=by, answer_by=answer_by,
            environment=governance.policy.environment, time=ledger.now(),
        )  # fmt: skip
        envelope = signed_incident.sign_with_gate_key(opening, governance)
        return ledger.append(OPENED, opening.id, {"envelope": envelope, **(more or {})})


def escalate_overdue(ledger: Ledger, governance: Governance) -> list[Entry]:
    with ledger.transaction():
        now = ledger.now()
        due = [
            incident.opening
            for incident in read_all(ledger, governance)
            if incident.state == "open" and incident.opening.answer_by is not None and incident.opening.answer_by < now
        ]
        entries = []
        for opened in due:
            said = Escalation(
                id=opened.id, cause=opened.cause, severity="critical", environment=opened.environment, time=now
            )
            envelope = signed_incident.sign_with_gate_key(said, governance)
            entries.append(ledger.append(ESCALATED, opened.id, {"envelope": envelope}))
    return entries


def close(ledger: Ledger, governance: Governance, incident_id: str, person_id: str, reason: str) -> Entry:
    """Sign the closing of an incident, and record it in the ledger.

    Raises:
        InputError: The incident or person is unknown, or the reason is not valid.
        Refused: The person may not close the incident, or it is closed already.
    """
    person, drafts = draft_closing(ledger, governance, incident_id, person_id, reason)
    return signed_entry.sign_and_record(ledger, governance, person, drafts)


def draft_closing(
    ledger: Ledger, governance: Governance, incident_id: str, person_id: str, reason: str
) -> tuple[Person, DraftFunction]:
    """Return the person who closes an incident, and a function that drafts the statement to sign.

    The function raises InputError if the incident is unknown, and Refused if the person may not close the incident or
    it is already closed.

    Raises:
        InputError: The person is unknown, or the reason is not valid.
    """
    reason = checked_reason(reason, "what was found and done")
    person = governance.actor(person_id, ledger.now())

    def draft() -> list[Draft]:
        now, incident = ledger.now(), get(ledger, governance, incident_id)
        opened = incident.opening
        if why_not := closing_obstacle(opened, person, now):
            raise Refused(why_not)
        if incident.closing:
            raise Refused(f"{incident.id} was closed by {incident.closing.person}: {incident.closing.reason}")
        said = Closing(
            id=opened.id, cause=opened.cause, person=person.id, role=opened.role, reason=reason,
            environment=opened.environment, time=now,
        )  # fmt: skip
        return [Draft(CLOSED, incident.id, CLOSING.statement(said))]

    return person, draft


def read_all(ledger: Ledger, governance: Governance) -> list[Incident]:
    incidents: dict[str, Incident] = {}
    for entry in ledger.entries(OPENED):
        opened = signed_incident.opening(entry, governance)
        if opened and opened.id not in incidents:
            incidents[opened.id] = Incident(entry, opened, None, None)
    escalated, closed = (_by_subject(ledger.entries(kind)) for kind in (ESCALATED, CLOSED))
    return [
        _with_closing(incident, escalated.get(incident.id, []), closed.get(incident.id, []), governance)
        for incident in incidents.values()
    ]


def get(ledger: Ledger, governance: Governance, incident_id: str) -> Incident:
    known = {incident.id: incident for incident in read_all(ledger, governance)}
    if incident_id not in known:
        raise InputError(f"there is no incident {incident_id!r}; `hallmark incidents list --all` shows every one")
    return known[incident_id]


def _by_subject(entries: list[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.subject, []).append(entry)
    return found


def _with_closing(incident: Incident, escalated: list[Entry], closed: list[Entry], governance: Governance) -> Incident:
    raised = (signed_incident.escalation(entry, governance) for entry in escalated)
    said = (signed_incident.closing(entry, incident.opening, governance) for entry in closed)
    return Incident(incident.entry, incident.opening, next(filter(None, raised), None), next(filter(None, said), None))
