"""Opening, escalation and closing of incidents.

Hallmark opens one incident for each cause. A person in the role that is responsible for the incident closes it with a
signed reason. Ledger entries without a valid signature have no effect. An incident blocks nothing: a release stays in
production until a person decides otherwise.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.core.documents.config import FrozenModel, IsoTime, validate_reason
from tasks.core.errors import InputError, Refused
from tasks.incidents import signed_incident
from tasks.incidents.signed_incident import (
    CLOSED,
    CLOSING_KIND,
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

__all__ = [
    "Incident",
    "IncidentSummary",
    "close_incident",
    "escalate_overdue_incidents",
    "get_incident",
    "open_incident_if_new",
    "read_all",
]


class IncidentClosing(FrozenModel):
    person: str
    role: str | None
    reason: str
    time: datetime


class IncidentSummary(FrozenModel):
    """Incident as it is shown by commands and pages. The first fields are documented in `Opening`."""

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


def open_incident_if_new(
    ledger: Ledger,
    governance: Governance,
    kind: IncidentKind,
    subject: str,
    facts: dict[str, Any],
    severity: Severity,
    role: str | None,
    text: str,
    caused_by: str | None = None,
    escalates_at: datetime | None = None,
    unsigned_details: dict[str, Any] | None = None,
    recurs: bool = False,
) -> Entry | None:
    """Open an incident, unless there already is one for the same cause.

    Args:
        ledger: Ledger in which the incident is recorded.
        governance: Governance in force.
        kind: Kind of the incident.
        subject: Label of the release or name of the model that the incident is about.
        facts: JSON values that distinguish the cause from others of the same kind.
        severity: Severity until the incident is escalated.
        role: Role that is allowed to close the incident; None if policy names no role, so that any person can close it.
        text: Description of the event and of the required action.
        caused_by: Id of the person who caused the incident and is not allowed to close it; None if unknown.
        escalates_at: Time at which the incident is escalated if it is still open; None if it is never escalated.
        unsigned_details: Unsigned details for the body of the ledger entry.
        recurs: Whether the same cause opens a new incident if the earlier one is closed.

    Returns:
        New ledger entry; None if no incident was opened.
    """
    cause = cause_digest(kind, subject, facts)
    with ledger.transaction():
        known = [incident for incident in read_all(ledger, governance) if incident.opening.cause == cause]
        if known and not (recurs and known[-1].closing):
            return None
        opening = Opening(
            id=f"{kind}-{cause[:12]}{f'-{len(known) + 1}' if known else ''}", what=kind, about=subject, cause=cause,
            severity=severity, role=role, text=text, by=caused_by, answer_by=escalates_at,
            environment=governance.policy.environment, time=ledger.now(),
        )  # fmt: skip
        envelope = signed_incident.sign_with_gate_key(opening, governance)
        return ledger.append(OPENED, opening.id, {"envelope": envelope, **(unsigned_details or {})})


def escalate_overdue_incidents(ledger: Ledger, governance: Governance) -> list[Entry]:
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


def close_incident(ledger: Ledger, governance: Governance, incident_id: str, person_id: str, reason: str) -> Entry:
    """Sign the closing of an incident, and record it in the ledger.

    Raises:
        InputError: The incident or person is unknown, or the reason is not valid.
        Refused: The person is not allowed to close the incident, or it is already closed.
    """
    person, drafts = draft_closing(ledger, governance, incident_id, person_id, reason)
    return signed_entry.sign_and_record(ledger, governance, person, drafts)


def draft_closing(
    ledger: Ledger, governance: Governance, incident_id: str, person_id: str, reason: str
) -> tuple[Person, DraftFunction]:
    """Return the person who closes an incident, and a function that drafts the statement to sign.

    The returned function raises InputError if the incident is unknown. It raises Refused if the person is not allowed
    to close the incident or if the incident is already closed.

    Raises:
        InputError: The person is unknown, or the reason is not valid.
    """
    reason = validate_reason(reason, "what was found and done")
    person = governance.require_actor(person_id, ledger.now())

    def draft() -> list[Draft]:
        now, incident = ledger.now(), get_incident(ledger, governance, incident_id)
        opened = incident.opening
        if why_not := closing_obstacle(opened, person, now):
            raise Refused(why_not)
        if incident.closing:
            raise Refused(f"{incident.id} was closed by {incident.closing.person}: {incident.closing.reason}")
        said = Closing(
            id=opened.id, cause=opened.cause, person=person.id, role=opened.role, reason=reason,
            environment=opened.environment, time=now,
        )  # fmt: skip
        return [Draft(CLOSED, incident.id, CLOSING_KIND.statement(said))]

    return person, draft


def read_all(ledger: Ledger, governance: Governance) -> list[Incident]:
    incidents: dict[str, Incident] = {}
    for entry in ledger.entries(OPENED):
        opened = signed_incident.read_opening(entry, governance)
        if opened and opened.id not in incidents:
            incidents[opened.id] = Incident(entry, opened, None, None)
    escalated, closed = (_entries_by_subject(ledger.entries(kind)) for kind in (ESCALATED, CLOSED))
    return [
        _with_escalation_and_closing(incident, escalated.get(incident.id, []), closed.get(incident.id, []), governance)
        for incident in incidents.values()
    ]


def get_incident(ledger: Ledger, governance: Governance, incident_id: str) -> Incident:
    known = {incident.id: incident for incident in read_all(ledger, governance)}
    if incident_id not in known:
        raise InputError(f"there is no incident {incident_id!r}; `hallmark incidents list --all` shows every one")
    return known[incident_id]


def _entries_by_subject(entries: list[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.subject, []).append(entry)
    return found


def _with_escalation_and_closing(
    incident: Incident, escalated: list[Entry], closed: list[Entry], governance: Governance
) -> Incident:
    raised = (signed_incident.read_escalation(entry, governance) for entry in escalated)
    said = (signed_incident.read_closing(entry, incident.opening, governance) for entry in closed)
    return Incident(incident.entry, incident.opening, next(filter(None, raised), None), next(filter(None, said), None))
