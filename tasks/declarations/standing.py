"""Which declarations are in force: what the ledger's signatures add up to, in its order.

A declaration is in force once everybody has signed it who has to: its owner, who owned it before, and who else owns a
source that lies at the same place, as far as its text tells. What a location names besides is known where it lies:
whoever signs there asks these owners too, and a run there takes nothing that they have not signed (declarations.py).
For somebody who holds no role any more a role signs that signs people off. What was signed names what it takes the
place of, so that it counts in that place alone and not again later.
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
    """What was adopted, and the signatures under it, oldest first."""

    declared: Declared
    signed: tuple[Signed[Declaration], ...]


class Place(NamedTuple):
    """What a declaration would take the place of, and who would have to sign it."""

    follows: str | None
    owners: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    in_force: Mapping[str, InForce]
    """By subject, in the order in which something of that name came into force first."""
    begun: Mapping[tuple[str, Place], tuple[Signed[Declaration], ...]]
    """By digest and place, what was signed of what is not in force yet."""

    def place(self, declared: Declared, root: Path | None = None) -> Place:
        """`root`: of a checkout, where locations are looked up too."""
        before = self.in_force.get(declared.subject)
        owners = {declared.owner, *(each.owner for each in self.beside(declared, root))}
        owners |= {before.declared.owner} if before else set()
        return Place(before.declared.sha256 if before else None, tuple(sorted(owners)))

    def beside(self, declared: Declared, root: Path | None) -> list[Declared]:
        """The sources at the same place that came into force before any of this name did: who is later has no say."""
        earlier = takewhile(lambda subject: subject != declared.subject, self.in_force)
        known = (self.in_force[subject].declared for subject in earlier)
        return [each for each in known if _at_one_place(each, declared, root)]

    def has(self, declared: Declared) -> bool:
        """Whether it is in force."""
        known = self.in_force.get(declared.subject)
        return known is not None and known.declared == declared

    def signed(self, declared: Declared, root: Path | None = None) -> tuple[Signed[Declaration], ...]:
        """What was signed of a declaration that is not in force, in the place that it would take now."""
        return self.begun.get((declared.sha256, self.place(declared, root)), ())


def read(ledger: Ledger, governance: Governance) -> Standing:
    """As of now. What does not verify under the people in force counts for nothing."""
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
    """Whether what somebody signed is what the statement is about, in this environment, by somebody who is asked."""
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
    """Whether somebody who holds these roles may own it."""
    asked = of_owners(declared, policy)
    return not set(asked).isdisjoint(held) or (isinstance(declared, SourceDeclared) and not asked and bool(held))


def of_owners(declared: Declared, policy: Policy) -> list[str]:
    """Roles that an owner holds one of: who decides on their data, or on how good a model is. None of a card whose tier
    has no gates; where no tier has any, a source's owner holds any role."""
    if isinstance(declared, SourceDeclared):
        asked = [role for tier in policy.tiers.values() if tier.gates for role in tier.gates["data"].decisions]
        return sorted({role.role for role in asked if role.owners} or {role.role for role in asked})
    tier = policy.tiers.get(declared.card.risk_tier)
    return sorted({role.role for role in tier.gates["evaluation"].decisions}) if tier and tier.gates else []


def lacking(owners: Iterable[str], signed: Iterable[Signed[Declaration]], people: Known) -> list[str]:
    """The owners who have not signed, and for whom nobody did who may where they hold no role any more."""
    by = {each.said.person for each in signed}
    others = [each for each in signed if each.said.person not in each.said.owners]
    return [
        owner for owner in owners
        if owner not in by and not any(not roles(people, owner, each.at) for each in others)
    ]  # fmt: skip


def stand_ins(policy: Policy) -> list[str]:
    """Roles that sign for an owner who holds none any more."""
    return sorted({role.role for role in policy.changes.people})


def roles(people: Known, person: str, at: datetime) -> list[str]:
    """That somebody held then; none of who is unknown."""
    known: Person | None = people.get(person)
    return known.roles_at(at) if known else []


def _stands_in(signed: Signed[Declaration], policy: Policy) -> bool:
    assert signed.person is not None, "no machine signs a declaration"
    return not set(stand_ins(policy)).isdisjoint(signed.person.roles_at(signed.at))


def _at_one_place(one: Declared, other: Declared, root: Path | None) -> bool:
    """Whether two sources of different names lie at the same place, as they write it or as it is found from `root`."""
    if not (isinstance(one, SourceDeclared) and isinstance(other, SourceDeclared)):
        return False
    if one.source.id == other.source.id:
        return False
    first, second = one.source.location, other.source.location
    found = root is not None and places.place(first, root) == places.place(second, root)
    return found or places.written(first) == places.written(second)
