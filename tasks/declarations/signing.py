"""Signatures on declarations, by the owner and by the other people who have to sign."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from tasks.core.documents.config import validate_reason
from tasks.core.errors import Refused
from tasks.declarations import status
from tasks.declarations.signed_declaration import (
    DECLARATION_KIND,
    ENTRY_KIND,
    Declaration,
    DeclaredDocument,
    DeclaredSuite,
)
from tasks.declarations.status import DeclarationStatus
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft


def sign_declarations(
    ledger: Ledger, governance: Governance, person_id: str, declared: Sequence[DeclaredDocument], reason: str
) -> list[Entry]:
    """Record a person's signatures on all of the declarations or on none, and return the newest entry about each.

    Repeating the call has no effect.

    Raises:
        Refused: The person is not required to sign, the owner holds no role that is allowed to own the source, suite
            or card, or a changed suite has no higher version.
        InputError: The person is unknown, or no reason is given.
    """
    person = governance.require_actor(person_id, ledger.now())
    reason = validate_reason(reason, "what you looked at")

    def drafts() -> Entry | list[Draft]:
        now, at = status.read_status(ledger, governance), ledger.now()
        new = [each for each in declared if not _has_signed(person, each, now, governance)]
        said = [_draft_declaration(each, person, now, at, governance, reason) for each in new]
        return said or ledger.entries(ENTRY_KIND, declared[-1].subject)[-1]

    signed_entry.sign_and_record(ledger, governance, person, drafts)
    return [ledger.entries(ENTRY_KIND, each.subject)[-1] for each in declared]


def missing_owners(declared: DeclaredDocument, now: DeclarationStatus, governance: Governance) -> list[str]:
    if now.is_in_force(declared):
        return []
    root = governance.state.parent
    return status.missing_owners(
        now.replacement_for(declared, root).owners, now.pending_signatures(declared, root), governance.people
    )


def is_signature_awaited(
    person: Person, declared: DeclaredDocument, now: DeclarationStatus, governance: Governance, at: datetime
) -> bool:
    owners = missing_owners(declared, now, governance)
    return person.id in owners or (
        not _has_signed(person, declared, now, governance) and _is_stand_in(person, owners, governance, at)
    )


def _draft_declaration(
    declared: DeclaredDocument,
    person: Person,
    now: DeclarationStatus,
    at: datetime,
    governance: Governance,
    reason: str,
) -> Draft:
    place, policy = now.replacement_for(declared, governance.state.parent), governance.policy
    held = status.roles_at(governance.people, declared.owner, at)
    if not status.can_own(declared, held, policy):
        wanted = " or ".join(status.owner_roles(declared, policy)) or "nobody, since its risk tier has no gates"
        raise Refused(
            f"{declared.subject}: its owner {declared.owner} holds {', '.join(held) or 'no role'}, and policy asks for "
            f"{wanted}"
        )
    _require_higher_version(declared, now)
    if person.id not in place.owners and not is_signature_awaited(person, declared, now, governance, at):
        raise Refused(f"{declared.subject} is adopted by {' and '.join(place.owners)}, not by {person.id}")
    said = Declaration(
        declared=declared,
        owners=list(place.owners),
        follows=place.follows,
        environment=policy.environment,
        person=person.id,
        reason=reason,
        time=at,
    )
    return Draft(ENTRY_KIND, declared.subject, DECLARATION_KIND.statement(said))


def _require_higher_version(declared: DeclaredDocument, now: DeclarationStatus) -> None:
    known = now.declarations_by_subject.get(declared.subject)
    before = known.declared if known else None
    if not (isinstance(declared, DeclaredSuite) and isinstance(before, DeclaredSuite)):
        return
    if declared.content != before.content and declared.version <= before.version:
        raise Refused(
            f"{declared.subject} has changed, and version {before.version} is in force: give it version "
            f"{before.version + 1}, so that results say which cases they are of"
        )


def _has_signed(person: Person, declared: DeclaredDocument, now: DeclarationStatus, governance: Governance) -> bool:
    """Return whether a person has signed the declaration, or does not have to because it is already in force."""
    signed = now.pending_signatures(declared, governance.state.parent)
    return now.is_in_force(declared) or any(each.document.person == person.id for each in signed)


def _is_stand_in(person: Person, owners: Iterable[str], governance: Governance, at: datetime) -> bool:
    role = not set(status.stand_in_roles(governance.policy)).isdisjoint(person.roles_at(at))
    return role and any(not status.roles_at(governance.people, owner, at) for owner in owners)
