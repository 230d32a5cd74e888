"""Who may order that an earlier release be champion again, and the orders that they sign.

An ordinary rollback takes what the release gate of its risk tier takes: each role, as many people of it as policy says,
each their own order. Those that are not enough yet wait in the ledger, and count until another release is promoted.
Breaking the glass takes one person of the role that policy names for it (tasks/registry/promote/emergency.py).

An order is one signature, the promotion statement that carries it out (`promotion.rollback`) another.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.consent import consent
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.read_signed import Dated, Kind, read_signed
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import Promotions, Signed
from tasks.registry.verify import verification
from tasks.trust import dsse

ORDERED = "rollback.ordered"
"""Ledger entry: {"envelope": an order that others have yet to join}; its subject is the name of the model."""
ORDER_TYPE = "urn:hallmark:rollback:v1"


class Order(Dated):
    """The predicate of an order; its subject is the release to go back to."""

    person: str
    role: Name
    release: str
    environment: Name
    reason: str
    break_glass: bool
    follows: Sha256
    """`dsse.digest` of the promotion statement in force then; once another is, the order counts no more."""
    joins: list[Sha256]
    """`dsse.digest` of the earlier orders that it is given together with."""
    time: datetime


ORDER = Kind(ORDER_TYPE, Order, "an order", by=lambda order: order.person)


@dataclass(frozen=True)
class SignedOrder:
    order: Order
    envelope: dict[str, Any]

    @property
    def sha256(self) -> str:
        return dsse.digest(self.envelope)


def deciders(governance: Governance, tier: str) -> dict[str, int]:
    """The roles that decide at the release gate of a risk tier and how many of each; none for a tier that policy names
    no longer."""
    gates = governance.policy.tiers[tier].gates if tier in governance.policy.tiers else {}
    return {role.role: role.count for role in gates["release"].decisions} if "release" in gates else {}


def owner_role(governance: Governance, tier: str) -> str | None:
    """Who answers for what happens to releases of a risk tier: the first role that decides at its release gate."""
    return next(iter(deciders(governance, tier)), None)


def deciding_role(governance: Governance, person: Person, target: Signed, given: str | None, at: datetime) -> str:
    """The role in which a person orders it. Raises Refused for who may not, InputError where they have to say which."""
    roles = deciders(governance, target.promotion.tier)
    held = [role for role in roles if role in person.roles_at(at) and given in (None, role)]
    if not held:
        raise Refused(
            f"{person.id} may not order a rollback: it takes a role that decides at the release gate "
            f"({', '.join(roles) or 'policy names none'})"
        )
    if len(held) > 1:
        raise InputError(f"{person.id} holds {' and '.join(held)}; say in which --role they order it")
    return held[0]


def target(ledger: Ledger, governance: Governance, line: Promotions, label: str) -> Signed:
    """The statement of the release to go back to. Raises InputError or Refused where that is not possible."""
    back_to = next((signed for signed in reversed(line.valid) if signed.promotion.label == label), None)
    if back_to is None or line.newest is None:
        known = ", ".join(dict.fromkeys(signed.promotion.label for signed in line.valid)) or "none"
        raise InputError(f"{label!r} was never promoted in {governance.policy.environment}; known: {known}")
    if line.newest.promotion.label == label:
        raise Refused(f"{label} is the champion already")
    promotions.require_no_lower(back_to.promotion.tier, line.newest, governance.policy)
    if back_to.promotion.demo and not governance.local:
        raise Refused(f"{label} was approved by demo identities, which count in environment local alone")
    verified = verification.require(bundle.folder(governance.state, label), governance)
    if verified.release_sha256 != back_to.release_sha256:
        raise Refused(f"the bundle of {label} is not the release that was promoted under that name")
    consent.require(bundle.folder(governance.state, label) / bundle.PAYLOAD, ledger, governance)
    return back_to


def statement(order: Order, back_to: Signed) -> dict[str, Any]:
    """What a person signs who orders that `back_to` be champion again."""
    return dsse.statement(ORDER_TYPE, {order.release: back_to.release_sha256}, order.said)


def given(ledger: Ledger, governance: Governance, back_to: Signed, follows: Signed) -> list[SignedOrder]:
    """The orders that wait for others to join them; one a person, the first."""
    by_person: dict[str, SignedOrder] = {}
    for entry in ledger.entries(ORDERED, back_to.promotion.name):
        try:
            signed = _read(entry, governance, back_to)
        except HallmarkError:
            continue  # nothing that was signed by who may
        if signed.order.follows == follows.sha256:
            by_person.setdefault(signed.order.person, signed)
    return list(by_person.values())


def missing(governance: Governance, back_to: Signed, orders: list[SignedOrder]) -> list[str]:
    """In words, the orders that are still wanted."""
    wanted = deciders(governance, back_to.promotion.tier)
    left = {role: count - sum(each.order.role == role for each in orders) for role, count in wanted.items()}
    return [f"{count} more order{'s' * (count > 1)} in role {role}" for role, count in left.items() if count > 0]


def _read(entry: Entry, governance: Governance, back_to: Signed) -> SignedOrder:
    """An ordinary order of `back_to` by somebody who might give it then. Raises where it is none."""
    signed = read_signed(entry, ORDER, governance)
    order = signed.said
    person = governance.actor(order.person, signed.at)
    wanted = ({back_to.promotion.label: back_to.release_sha256}, governance.policy.environment, False)
    if (signed.subjects, order.environment, order.break_glass) != wanted:
        raise Refused("it orders something else")
    deciding_role(governance, person, back_to, order.role, signed.at)
    return SignedOrder(order, signed.envelope)
