"""Declarations in force, computed from the signatures in the ledger, in the order of their entries.

A declaration is in force once all required people have signed: its owner, the previous owner, and the owners of other
sources whose location is written identically. Two different paths can also be the same location on one machine, for
example because of a link. Signing on that machine then requires these owners too, and a run there refuses a source that
they have not signed (declarations.py). If an owner no longer holds any role, a person with a role that signs off
changes to people.yaml can sign for them. Each signed declaration names the one that it replaces, so that it cannot be
replayed later.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import HallmarkError
from tasks.declarations.signed_declaration import (
    DECLARATION_KIND,
    ENTRY_KIND,
    Declaration,
    DeclaredDocument,
    DeclaredSource,
    DeclaredSuite,
)
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.policy import LOCAL_ENVIRONMENT, Policy
from tasks.policy.signed_document import PeopleById, SignedDocument, verify_entry
from tasks.sources import locations


@dataclass(frozen=True)
class DeclarationInForce:
    declared: DeclaredDocument
    signatures: tuple[SignedDocument[Declaration], ...]


class Replacement(NamedTuple):
    """Digest of the declaration that a new one replaces, and the people who have to sign the new one."""

    follows: str | None
    owners: tuple[str, ...]


@dataclass(frozen=True)
class DeclarationStatus:
    declarations_by_subject: Mapping[str, DeclarationInForce]
    """Declarations in force by subject, in the order of the first adoption of each subject."""
    partial_signatures: Mapping[tuple[str, Replacement], tuple[SignedDocument[Declaration], ...]]
    """Signatures on declarations that are not in force yet, by the declaration's digest and its `Replacement`."""

    def replacement_for(self, declared: DeclaredDocument, root: Path | None = None) -> Replacement:
        """Return the digest of the declaration that a new one replaces, and the people who have to sign the new one.

        Args:
            declared: New declaration.
            root: Checkout in which locations are resolved; None to compare locations as they are written.
        """
        before = self.declarations_by_subject.get(declared.subject)
        owners = {declared.owner, *(each.owner for each in self.sources_at_same_location(declared, root))}
        owners |= {before.declared.owner} if before else set()
        return Replacement(before.declared.sha256 if before else None, tuple(sorted(owners)))

    def sources_at_same_location(self, declared: DeclaredDocument, root: Path | None) -> list[DeclaredDocument]:
        """Return the other sources at the same location that were declared before this one.

        Owners of sources that were declared later do not have to sign.
        """
        earlier = takewhile(lambda subject: subject != declared.subject, self.declarations_by_subject)
        known = (self.declarations_by_subject[subject].declared for subject in earlier)
        return [each for each in known if _have_same_location(each, declared, root)]

    def is_in_force(self, declared: DeclaredDocument) -> bool:
        known = self.declarations_by_subject.get(declared.subject)
        return known is not None and known.declared == declared

    def pending_signatures(
        self, declared: DeclaredDocument, root: Path | None = None
    ) -> tuple[SignedDocument[Declaration], ...]:
        return self.partial_signatures.get((declared.sha256, self.replacement_for(declared, root)), ())


def read_status(ledger: Ledger, governance: Governance) -> DeclarationStatus:
    """Return the declarations in force, and those that still lack signatures.

    Entries without a valid signature of a person of the governance in force are skipped.
    """
    in_force: dict[str, DeclarationInForce] = {}
    begun: dict[tuple[str, Replacement], tuple[SignedDocument[Declaration], ...]] = {}
    seen: set[str] = set()
    for entry in ledger.entries(ENTRY_KIND):
        with suppress(HallmarkError, ValueError):
            signed = verify_entry(entry, DECLARATION_KIND, governance)
            said, place = signed.document, Replacement(signed.document.follows, tuple(signed.document.owners))
            if signed.sha256 in seen or not is_valid_signature(signed, governance.policy, governance.people):
                continue
            seen.add(signed.sha256)
            wanted = DeclarationStatus(in_force, begun).replacement_for(said.declared)
            if place.follows != wanted.follows or not set(wanted.owners) <= set(place.owners):
                continue
            known = begun[said.declared.sha256, place] = (*begun.get((said.declared.sha256, place), ()), signed)
            if missing_owners(place.owners, known, governance.people):
                continue
            in_force[said.declared.subject] = DeclarationInForce(said.declared, known)
            subject = said.declared.subject
            for mark in [mark for mark, each in begun.items() if each[0].document.declared.subject == subject]:
                del begun[mark]
    return DeclarationStatus(in_force, begun)


def is_valid_signature(signature: SignedDocument[Declaration], policy: Policy, people: PeopleById) -> bool:
    """Return whether a signature is valid.

    Three conditions must hold: the declaration is for this environment, its owner holds a role that is allowed to own
    the source, suite or card, and its signer is a required person or stands in for one.
    """
    said, person = signature.document, signature.person
    return (
        person is not None
        and said.environment == policy.environment
        and not (person.demo and policy.environment != LOCAL_ENVIRONMENT)
        and can_own(said.declared, roles_at(people, said.declared.owner, signature.effective_at), policy)
        and (person.id in said.owners or _is_stand_in(signature, policy))
    )


def can_own(declared: DeclaredDocument, held: Sequence[str], policy: Policy) -> bool:
    asked = owner_roles(declared, policy)
    return not set(asked).isdisjoint(held) or (isinstance(declared, DeclaredSource) and not asked and bool(held))


def owner_roles(declared: DeclaredDocument, policy: Policy) -> list[str]:
    """Return the roles of which an owner must hold at least one.

    For a source, these are the roles that decide at the data gate, for a card those that decide at the evaluation gate,
    and for an evaluation suite those that decide at the evaluation gate of any tier. The list is empty for a card in a
    tier without gates. It is also empty for a source if no tier has gates; the owner can then hold any role.
    """
    if isinstance(declared, DeclaredSuite):
        gates = [tier.gates["evaluation"] for tier in policy.tiers.values() if tier.gates]
        return sorted({role.role for gate in gates for role in gate.decisions})
    if isinstance(declared, DeclaredSource):
        asked = [role for tier in policy.tiers.values() if tier.gates for role in tier.gates["data"].decisions]
        return sorted({role.role for role in asked if role.owners} or {role.role for role in asked})
    tier = policy.tiers.get(declared.card.risk_tier)
    return sorted({role.role for role in tier.gates["evaluation"].decisions}) if tier and tier.gates else []


def missing_owners(
    owners: Iterable[str], signatures: Iterable[SignedDocument[Declaration]], people: PeopleById
) -> list[str]:
    """Return the owners who have not signed and for whom no stand-in has signed.

    A stand-in can sign only for an owner who held no role at the time of the signature.
    """
    by = {each.document.person for each in signatures}
    others = [each for each in signatures if each.document.person not in each.document.owners]
    return [
        owner for owner in owners
        if owner not in by and not any(not roles_at(people, owner, each.effective_at) for each in others)
    ]  # fmt: skip


def stand_in_roles(policy: Policy) -> list[str]:
    return sorted({role.role for role in policy.changes.people})


def roles_at(people: PeopleById, person: str, at: datetime) -> list[str]:
    known: Person | None = people.get(person)
    return known.roles_at(at) if known else []


def _is_stand_in(signed: SignedDocument[Declaration], policy: Policy) -> bool:
    assert signed.person is not None, "no machine signs a declaration"
    return not set(stand_in_roles(policy)).isdisjoint(signed.person.roles_at(signed.effective_at))


def _have_same_location(source: DeclaredDocument, other: DeclaredDocument, root: Path | None) -> bool:
    """Return whether two different sources have the same location, either as written or as resolved from `root`."""
    if not (isinstance(source, DeclaredSource) and isinstance(other, DeclaredSource)):
        return False
    if source.source.id == other.source.id:
        return False
    first, second = source.source.location, other.source.location
    found = root is not None and locations.resolve_location(first, root) == locations.resolve_location(second, root)
    return found or locations.normalise_location(first) == locations.normalise_location(second)
