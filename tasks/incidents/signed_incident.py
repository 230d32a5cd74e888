"""Signed statements about incidents. Openings and escalations are signed with the gate key, closings by a person."""

from datetime import datetime
from typing import Any, Literal, TypeVar

from tasks.core.errors import HallmarkError
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_document import DatedDocument, SignedKind, verify_entry
from tasks.trust import dsse

OPENED, ESCALATED, CLOSED = "incident.opened", "incident.escalated", "incident.closed"
"""Kinds of the ledger entries for incidents. The subject of an entry is the incident's id."""
PREDICATE_TYPE = "urn:hallmark:incident:v1"
IncidentKind = Literal["alias-moved", "waiver-expired", "break-glass", "ledger-rolled-back"]
Severity = Literal["minor", "major", "critical"]


class Opening(DatedDocument):
    """Opening of an incident: the predicate of an in-toto statement that is signed with the gate key."""

    deed: Literal["open"] = "open"
    id: str
    what: IncidentKind
    """Kind of the incident."""
    about: str
    """Label of the release or name of the model that the incident is about."""
    cause: Sha256
    """SHA-256 of the facts that identify the cause. It prevents a second incident for the same cause."""
    severity: Severity
    role: Name | None
    """Role that is allowed to close the incident. If it is null, policy names no role, and any person can close it."""
    text: str
    """Description of the event and of the required action. It names roles but no people, because it is sent out in
    notices."""
    by: str | None
    """Id of the person who caused the incident and is not allowed to close it; null if unknown."""
    answer_by: datetime | None
    """Time at which the incident is escalated if it is still open; null if it is never escalated."""
    environment: Name
    time: datetime


class Escalation(DatedDocument):
    """Escalation of an incident: the predicate of an in-toto statement that is signed with the gate key."""

    deed: Literal["escalate"] = "escalate"
    id: str
    cause: Sha256
    severity: Severity
    environment: Name
    time: datetime


class Closing(DatedDocument):
    """Closing of an incident: the predicate of an in-toto statement that a person signs."""

    deed: Literal["close"] = "close"
    id: str
    cause: Sha256
    person: str
    role: Name | None
    reason: str
    environment: Name
    time: datetime


StatementT = TypeVar("StatementT", Opening, Escalation, Closing)


def _subjects(said: Opening | Escalation | Closing) -> dict[str, str]:
    return {said.id: said.cause}


OPENING_KIND = SignedKind(
    PREDICATE_TYPE,
    Opening,
    "an incident",
    signer_of=lambda _: "gate",
    machines=("gate",),
    subjects_of=_subjects,
)
ESCALATION_KIND = SignedKind(
    PREDICATE_TYPE,
    Escalation,
    "an escalation",
    signer_of=lambda _: "gate",
    machines=("gate",),
    subjects_of=_subjects,
)
CLOSING_KIND = SignedKind(
    PREDICATE_TYPE,
    Closing,
    "a closing",
    signer_of=lambda said: said.person,
    subjects_of=_subjects,
)


def cause_digest(kind: IncidentKind, subject: str, facts: dict[str, Any]) -> str:
    return sha256_bytes(canonical_json({"what": kind, "about": subject, **facts}))


def sign_with_gate_key(statement: Opening | Escalation, governance: Governance) -> dict[str, Any]:
    kind: SignedKind[Any] = OPENING_KIND if isinstance(statement, Opening) else ESCALATION_KIND
    return dsse.sign_statement(kind.statement(statement), governance.find_signer("gate", statement.time))


def read_opening(entry: Entry, governance: Governance) -> Opening | None:
    """Return the opening in a ledger entry; None unless it is signed with the gate key for this environment."""
    return _read_statement(entry, governance, OPENING_KIND)


def read_escalation(entry: Entry, governance: Governance) -> Escalation | None:
    return _read_statement(entry, governance, ESCALATION_KIND)


def read_closing(entry: Entry, opening_statement: Opening, governance: Governance) -> Closing | None:
    """Return the closing in a ledger entry; None unless it is validly signed by a person who can close the incident."""
    said = _read_statement(entry, governance, CLOSING_KIND)
    person = governance.people.get(said.person) if said else None
    if said is None or person is None or said.cause != opening_statement.cause:
        return None
    return None if closing_obstacle(opening_statement, person, max(governance.recorded_at(entry), said.time)) else said


def closing_obstacle(opening_statement: Opening, person: Person, moment: datetime) -> str:
    if person.id == opening_statement.by:
        return (
            f"{person.id} may not close {opening_statement.id}: it was their own deed, "
            "and somebody else has to look at it"
        )
    if opening_statement.role and opening_statement.role not in person.roles_at(moment):
        return f"{person.id} may not close {opening_statement.id}: it takes role {opening_statement.role}"
    return ""


def _read_statement(entry: Entry, governance: Governance, kind: SignedKind[StatementT]) -> StatementT | None:
    try:
        signed = verify_entry(entry, kind, governance)
    except HallmarkError:
        return None
    said, here = signed.document, governance.policy.environment
    return said if (said.id, said.environment) == (entry.subject, here) else None
