"""What is signed of an incident, and how it is read back: its opening and escalation by this installation's key, its
closing by a person."""

from datetime import datetime
from typing import Any, Literal, TypeVar

from tasks.core.errors import HallmarkError
from tasks.core.files import canonical_json, sha256_bytes
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.read_signed import Dated, Kind, read_signed
from tasks.trust import dsse

OPENED, ESCALATED, CLOSED = "incident.opened", "incident.escalated", "incident.closed"
"""Kinds of ledger entries; their subject is the incident's id."""
TYPE = "urn:hallmark:incident:v1"
What = Literal["alias-moved", "waiver-expired", "break-glass", "ledger-rolled-back"]
Severity = Literal["minor", "major", "critical"]


class Opening(Dated):
    """The predicate of an opening."""

    deed: Literal["open"] = "open"
    id: str
    what: What
    about: str
    """A release, or the name of a model."""
    cause: Sha256
    """Of what happened; it opens one incident, however often it is seen."""
    severity: Severity
    role: Name | None
    """Who owns it: whoever holds this role may close it; null: everybody, where policy names no role at all."""
    text: str
    """What happened and what is to be done, in words. It names roles, no people, since it is sent to others."""
    by: str | None
    """Whose deed it was, if somebody's who is known here; they may not close it."""
    answer_by: datetime | None
    """When it escalates, if nobody has closed it; null: never."""
    environment: Name
    time: datetime


class Escalation(Dated):
    """The predicate of an escalation."""

    deed: Literal["escalate"] = "escalate"
    id: str
    cause: Sha256
    severity: Severity
    environment: Name
    time: datetime


class Closing(Dated):
    """The predicate of a closing."""

    deed: Literal["close"] = "close"
    id: str
    cause: Sha256
    person: str
    role: Name | None
    reason: str
    environment: Name
    time: datetime


Said = TypeVar("Said", Opening, Escalation, Closing)
OPENING = Kind(TYPE, Opening, "an incident", by=lambda _: "gate", machines=("gate",))
ESCALATION = Kind(TYPE, Escalation, "an escalation", by=lambda _: "gate", machines=("gate",))
CLOSING = Kind(TYPE, Closing, "a closing", by=lambda said: said.person)


def cause_of(what: What, about: str, facts: dict[str, Any]) -> str:
    """The digest that tells one cause from another."""
    return sha256_bytes(canonical_json({"what": what, "about": about, **facts}))


def by_machine(said: Opening | Escalation, governance: Governance) -> dict[str, Any]:
    return dsse.sign(statement(said), governance.signer("gate", said.time))


def opening(entry: Entry, governance: Governance) -> Opening | None:
    """What an entry opens; None where this installation did not sign it, or for another environment."""
    return _read(entry, governance, OPENING)


def escalation(entry: Entry, governance: Governance) -> Escalation | None:
    """What an entry escalates; None as for `opening`."""
    return _read(entry, governance, ESCALATION)


def closing(entry: Entry, opened: Opening, governance: Governance) -> Closing | None:
    """Who closed an incident; None where they did not sign that, or might not then."""
    said = _read(entry, governance, CLOSING)
    person = governance.people.get(said.person) if said else None
    if said is None or person is None or said.cause != opened.cause:
        return None
    return None if may_not_close(opened, person, max(entry.time, said.time)) else said


def may_not_close(opened: Opening, person: Person, at: datetime) -> str:
    """Why a person may not close an incident at a moment; empty where they may."""
    if person.id == opened.by:
        return f"{person.id} may not close {opened.id}: it was their own deed, and somebody else has to look at it"
    if opened.role and opened.role not in person.roles_at(at):
        return f"{person.id} may not close {opened.id}: it takes role {opened.role}"
    return ""


def statement(said: Opening | Escalation | Closing) -> dict[str, Any]:
    return dsse.statement(TYPE, {said.id: said.cause}, said.said)


def _read(entry: Entry, governance: Governance, kind: Kind[Said]) -> Said | None:
    """What was signed about the incident that the entry names, for this environment."""
    try:
        signed = read_signed(entry, kind, governance)
    except HallmarkError:
        return None
    said, here = signed.said, governance.policy.environment
    about = (signed.subjects, said.id, said.environment) == ({entry.subject: said.cause}, entry.subject, here)
    return said if about else None
