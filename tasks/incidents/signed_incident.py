"""Signed statements about incidents: the gate key signs openings and escalations, a person signs a closing."""

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
    """Opening of an incident: the predicate of an in-toto statement signed by the gate key."""

    deed: Literal["open"] = "open"
    id: str
    what: IncidentKind
    """Kind of the incident."""
    about: str
    """Release, or name of a model, that the incident is about."""
    cause: Sha256
    """SHA-256 of the cause. If the same cause is detected again, no further incident is opened."""
    severity: Severity
    role: Name | None
    """Role whose holders may close the incident; null for everybody, if policy names no role."""
    text: str
    """Description of the event and of the required action. It names roles but no people, because it is sent to
    others."""
    by: str | None
    """Id of the person who caused the incident and may not close it; null if unknown."""
    answer_by: datetime | None
    """Time after which the incident is escalated if nobody has closed it; null for never."""
    environment: Name
    time: datetime


class Escalation(DatedDocument):
    """Escalation of an incident: the predicate of an in-toto statement signed by the gate key."""

    deed: Literal["escalate"] = "escalate"
    id: str
    cause: Sha256
    severity: Severity
    environment: Name
    time: datetime


class Closing(DatedDocument):
    """Closing of an incident: the predicate of an in-toto statement signed by a person."""

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


OPENING = SignedKind(
    PREDICATE_TYPE,
    Opening,
    "an incident",
    signer_of=lambda _: "gate",
    machines=("gate",),
    subjects_of=_subjects,
)
ESCALATION = SignedKind(
    PREDICATE_TYPE,
    Escalation,
    "an escalation",
    signer_of=lambda _: "gate",
    machines=("gate",),
    subjects_of=_subjects,
)
CLOSING = SignedKind(
    PREDICATE_TYPE,
    Closing,
    "a closing",
    signer_of=lambda said: said.person,
    subjects_of=_subjects,
)


def cause_digest(what: IncidentKind, about: str, facts: dict[str, Any]) -> str:
    return sha256_bytes(canonical_json({"what": what, "about": about, **facts}))


def sign_with_gate_key(said: Opening | Escalation, governance: Governance) -> dict[str, Any]:
    kind: SignedKind[Any] = OPENING if isinstance(said, Opening) else ESCALATION
    return dsse.sign(kind.statement(said), governance.signer("gate", said.time))


def opening(entry: Entry, governance: Governance) -> Opening | None:
    """Return the opening in an entry; None unless the gate key signed it for this environment."""
    return _read(entry, governance, OPENING)


def escalation(entry: Entry, governance: Governance) -> Escalation | None:
    return _read(entry, governance, ESCALATION)


def closing(entry: Entry, opened: Opening, governance: Governance) -> Closing | None:
    """Return the closing in an entry; None if the signature is not valid or the signer may not close the incident."""
    said = _read(entry, governance, CLOSING)
    person = governance.people.get(said.person) if said else None
    if said is None or person is None or said.cause != opened.cause:
        return None
    return None if closing_obstacle(opened, person, max(entry.time, said.time)) else said


def closing_obstacle(opened: Opening, person: Person, at: datetime) -> str:
    if person.id == opened.by:
        return f"{person.id} may not close {opened.id}: it was their own deed, and somebody else has to look at it"
    if opened.role and opened.role not in person.roles_at(at):
        return f"{person.id} may not close {opened.id}: it takes role {opened.role}"
    return ""


def _read(entry: Entry, governance: Governance, kind: SignedKind[StatementT]) -> StatementT | None:
    try:
        signed = verify_entry(entry, kind, governance)
    except HallmarkError:
        return None
    said, here = signed.document, governance.policy.environment
    return said if (said.id, said.environment) == (entry.subject, here) else None
