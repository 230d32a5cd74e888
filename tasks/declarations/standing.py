"""Declarations in force, computed from the signatures in the ledger, in its order.

A declaration is in force once everybody has signed who has to: its owner, the previous owner, and the owners of other
sources at the same location, as far as the text of the location shows that. Two locations may also turn out to be the
same place on one machine, for example because of a link. Signing on that machine asks these owners too, and a run there
takes no source that they have not signed (declarations.py). If an owner holds no role any more, somebody may sign for
them who holds a role that signs off changes of people.yaml. Each signed declaration names the one that it replaces, so
that it cannot be replayed later.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import HallmarkError
from tasks.declarations import signed_declaration
from tasks.declarations.signed_declaration import DECLARATION, KIND, Declaration, Declared, SourceDeclared
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.policy import LOCAL, Policy
from tasks.policy.read_signed import Known, Signed, read_signed
from tasks.sources import places


@dataclass(frozen=True)
class InForce:
    """Declaration in force, with the signatures under it, oldest first."""

    declared: Declared
    signed: tuple[Signed[Declaration], ...]


class Place(NamedTuple):
    """Digest of the declaration that a new one would replace, and the people who would have to sign it."""

    follows: str | None
    owners: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    in_force: Mapping[str, InForce]
    """Declarations in force by subject, in the order of the subjects' first adoptions."""
    begun: Mapping[tuple[str, Place], tuple[Signed[Declaration], ...]]
    """Signatures under declarations that are not in force yet, by digest and by what each would replace."""

    def place(self, declared: Declared, root: Path | None = None) -> Place:
        """Return what a declaration would replace and who would have to sign it.

        `root` is the checkout in which locations are resolved; None compares them as text alone.
        """
        before = self.in_force.get(declared.subject)
        owners = {declared.owner, *(each.owner for each in self.beside(declared, root))}
        owners |= {before.declared.owner} if before else set()
        return Place(before.declared.sha256 if before else None, tuple(sorted(owners)))

    def beside(self, declared: Declared, root: Path | None) -> list[Declared]:
        """Return the other sources at the same location that were in force before this subject's first declaration.

        The owners of later sources have no say.
        """
        earlier = takewhile(lambda subject: subject != declared.subject, self.in_force)
        known = (self.in_force[subject].declared for subject in earlier)
        return [each for each in known if _at_one_place(each, declared, root)]

    def has(self, declared: Declared) -> bool:
        known = self.in_force.get(declared.subject)
        return known is not None and known.declared == declared

    def signed(self, declared: Declared, root: Path | None = None) -> tuple[Signed[Declaration], ...]:
        """Return the signatures under a declaration that is not in force, for what it would replace now."""
        return self.begun.get((declared.sha256, self.place(declared, root)), ())


def read(ledger: Ledger, governance: Governance) -> Standing:
    """Return the declarations in force. Entries that do not verify under the people in force are skipped."""
    in_force: dict[str, InForce] = {}
    begun: dict[tuple[str, Place], tuple[Signed[Declaration], ...]] = {}
    seen: set[str] = set()
    for entry in ledger.entries(KIND):
        with suppress(HallmarkError, ValueError):
            signed = read_signed(entry, DECLARATION, governance)
            said, place = signed.said, Place(signed.said.follows, tuple(signed.said.owners))
            if signed.sha256 in seen or not counts(signed, governance.policy, governance.people):
                continue
            seen.add(signed.sha256)
            wanted = Standing(in_force, begun).place(said.declared)
            if place.follows != wanted.follows or not set(wanted.owners) <= set(place.owners):
                continue
            known = begun[said.declared.sha256, place] = (*begun.get((said.declared.sha256, place), ()), signed)
            if lacking(place.owners, known, governance.people):
                continue
            in_force[said.declared.subject] = InForce(said.declared, known)
            subject = said.declared.subject
            for mark in [mark for mark, each in begun.items() if each[0].said.declared.subject == subject]:
                del begun[mark]
    return Standing(in_force, begun)


def counts(signed: Signed[Declaration], policy: Policy, people: Known) -> bool:
    """Return whether a signature counts.

    The statement's subject must be the declared document, its environment this one, its owner somebody who may own the
    document, and its signer one of those who have to sign.
    """
    said, person = signed.said, signed.person
    return (
        person is not None
        and said.environment == policy.environment
        and signed_declaration.is_about_what_it_declares(said, signed.subjects)
        and not (person.demo and policy.environment != LOCAL)
        and may_own(said.declared, roles(people, said.declared.owner, signed.at), policy)
        and (person.id in said.owners or _stands_in(signed, policy))
    )


def may_own(declared: Declared, held: Sequence[str], policy: Policy) -> bool:
    asked = of_owners(declared, policy)
    return not set(asked).isdisjoint(held) or (isinstance(declared, SourceDeclared) and not asked and bool(held))


def of_owners(declared: Declared, policy: Policy) -> list[str]:
    """Return the roles of which an owner must hold one: those that decide at the data gate, or at the evaluation gate.

    Empty for a card whose tier has no gates. If no tier has gates, the owner of a source may hold any role.
    """
    if isinstance(declared, SourceDeclared):
        asked = [role for tier in policy.tiers.values() if tier.gates for role in tier.gates["data"].decisions]
        return sorted({role.role for role in asked if role.owners} or {role.role for role in asked})
    tier = policy.tiers.get(declared.card.risk_tier)
    return sorted({role.role for role in tier.gates["evaluation"].decisions}) if tier and tier.gates else []


def lacking(owners: Iterable[str], signed: Iterable[Signed[Declaration]], people: Known) -> list[str]:
    """Return the owners without a signature, of their own or by a stand-in.

    A stand-in's signature counts for an owner who held no role when the stand-in signed.
    """
    by = {each.said.person for each in signed}
    others = [each for each in signed if each.said.person not in each.said.owners]
    return [
        owner for owner in owners
        if owner not in by and not any(not roles(people, owner, each.at) for each in others)
    ]  # fmt: skip


def stand_ins(policy: Policy) -> list[str]:
    """Return the roles whose holders sign for an owner who holds no role any more."""
    return sorted({role.role for role in policy.changes.people})


def roles(people: Known, person: str, at: datetime) -> list[str]:
    known: Person | None = people.get(person)
    return known.roles_at(at) if known else []


def _stands_in(signed: Signed[Declaration], policy: Policy) -> bool:
    assert signed.person is not None, "no machine signs a declaration"
    return not set(stand_ins(policy)).isdisjoint(signed.person.roles_at(signed.at))


def _at_one_place(one: Declared, other: Declared, root: Path | None) -> bool:
    """Return whether two different sources have the same location, as text or resolved from `root`."""
    if not (isinstance(one, SourceDeclared) and isinstance(other, SourceDeclared)):
        return False
    if one.source.id == other.source.id:
        return False
    first, second = one.source.location, other.source.location
    found = root is not None and places.place(first, root) == places.place(second, root)
    return found or places.written(first) == places.written(second)
