"""Signed orders of a rollback, and the roles that may give them.

An ordinary rollback requires what the release gate of the risk tier requires: as many people of each role as policy
says, each with an order of their own, by the rules of its decisions (order_rules.py). Orders that are not enough yet
wait in the ledger, and are valid until another release is promoted. An emergency rollback requires one person of the
role that policy names for it (tasks/registry/promote/emergency_rollback.py).

The person signs the order; the gate key signs the promotion statement that carries it out (`promotion.rollback`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.consent import release_sources
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.signed_document import DatedDocument, SignedKind, verify_entry
from tasks.registry.promote import order_rules
from tasks.registry.promote.order_rules import OrderClaim
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import Promotions, SignedPromotion
from tasks.registry.verify import verification
from tasks.trust import dsse

ORDERED = "rollback.ordered"
"""Kind of ledger entry with body {"envelope": an order that other people have yet to join}; its subject is the model's
name."""
ORDER_TYPE = "urn:hallmark:rollback:v1"


class Order(DatedDocument):
    """Predicate of an order. The statement's subject is the release to go back to."""

    person: str
    role: Name
    release: str
    environment: Name
    reason: str
    break_glass: bool
    follows: Sha256
    """`dsse.digest` of the promotion statement that was in force; the order is void when another is."""
    joins: list[Sha256]
    """`dsse.digest` of each earlier order that this order joins."""
    time: datetime


ORDER = SignedKind(ORDER_TYPE, Order, "an order", signer_of=lambda order: order.person)


@dataclass(frozen=True)
class SignedOrder:
    order: Order
    envelope: dict[str, Any]

    @property
    def sha256(self) -> str:
        return dsse.digest(self.envelope)


def deciding_roles(governance: Governance, tier: str) -> dict[str, int]:
    """Return the roles that decide at the release gate of a risk tier, with the number of people required of each.

    Returns an empty dictionary for a tier that policy no longer contains.
    """
    gates = governance.policy.tiers[tier].gates if tier in governance.policy.tiers else {}
    return {role.role: role.count for role in gates["release"].decisions} if "release" in gates else {}


def owner_role(governance: Governance, tier: str) -> str | None:
    """Return the role that is responsible for incidents of a risk tier: the first that decides at its release gate."""
    return next(iter(deciding_roles(governance, tier)), None)


def deciding_role(claim: OrderClaim, given: str | None, ledger: Ledger, governance: Governance) -> str:
    """Return the role in which a person orders a rollback.

    Raises:
        Refused: The rules do not allow the order in a role of the person, or not in the `given` one.
        InputError: The person has several such roles and named none.
    """
    person, asked = claim.person, list(deciding_roles(governance, claim.target.promotion.tier))
    held = [role for role in asked if role in person.roles_at(claim.at)]
    reasons = {
        role: order_rules.why_not(claim, role, ledger, governance)
        for role in ([given] if given else held or asked[:1] or [""])
    }
    allowed = [role for role, reason in reasons.items() if reason is None]
    if not allowed:
        label = claim.target.promotion.label
        raise Refused(f"{person.id} may not order a rollback to {label}: {next(iter(reasons.values()))}")
    if len(allowed) > 1:
        raise InputError(f"{person.id} holds {' and '.join(allowed)}; say in which --role they order it")
    return allowed[0]


def target_statement(ledger: Ledger, governance: Governance, line: Promotions, label: str) -> SignedPromotion:
    """Return the promotion statement of the release to go back to.

    Raises:
        InputError: No release of that name was promoted here.
        Refused: The release is champion already, its risk tier is lower, its approval does not count, it does not
            verify, or a source of it was withdrawn.
    """
    back_to = next((signed for signed in reversed(line.valid) if signed.promotion.label == label), None)
    if back_to is None or line.newest is None:
        known = ", ".join(dict.fromkeys(signed.promotion.label for signed in line.valid)) or "none"
        raise InputError(f"{label!r} was never promoted in {governance.policy.environment}; known: {known}")
    if line.newest.promotion.label == label:
        raise Refused(f"{label} is the champion already")
    promotions.require_tier_not_lower(back_to.promotion.tier, line.newest, governance.policy)
    if back_to.promotion.demo and not governance.local:
        raise Refused(f"{label} was approved by demo identities, which count in environment local alone")
    verified = verification.require_valid(bundle.folder(governance.state, label), governance)
    if verified.release_sha256 != back_to.release_sha256:
        raise Refused(f"the bundle of {label} is not the release that was promoted under that name")
    release_sources.require_not_withdrawn(bundle.folder(governance.state, label) / bundle.PAYLOAD, ledger, governance)
    return back_to


def order_statement(order: Order, back_to: SignedPromotion) -> dict[str, Any]:
    return dsse.statement(ORDER_TYPE, {order.release: back_to.release_sha256}, order.json_value)


def pending_orders(
    ledger: Ledger, governance: Governance, back_to: SignedPromotion, follows: SignedPromotion
) -> list[SignedOrder]:
    """Return the valid orders that wait for others to join them, the first of each person."""
    by_person: dict[str, SignedOrder] = {}
    for entry in ledger.entries(ORDERED, back_to.promotion.name):
        try:
            signed = _read(entry, ledger, governance, back_to)
        except HallmarkError:
            continue  # not signed by a person who may order it
        if signed.order.follows == follows.sha256:
            by_person.setdefault(signed.order.person, signed)
    return list(by_person.values())


def missing_orders(governance: Governance, back_to: SignedPromotion, orders: list[SignedOrder]) -> list[str]:
    wanted = deciding_roles(governance, back_to.promotion.tier)
    missing = {role: count - sum(each.order.role == role for each in orders) for role, count in wanted.items()}
    return [f"{count} more order{'s' * (count > 1)} in role {role}" for role, count in missing.items() if count > 0]


def _read(entry: Entry, ledger: Ledger, governance: Governance, back_to: SignedPromotion) -> SignedOrder:
    signed = verify_entry(entry, ORDER, governance)
    order = signed.document
    person = governance.actor(order.person, signed.effective_at)
    wanted = ({back_to.promotion.label: back_to.release_sha256}, governance.policy.environment, False)
    if (signed.subjects, order.environment, order.break_glass) != wanted:
        raise Refused("it orders something else")
    deciding_role(OrderClaim(person, back_to, signed.effective_at, signed.keyid), order.role, ledger, governance)
    return SignedOrder(order, signed.envelope)
