"""Signed rollback orders, and the roles that can give them.

An ordinary rollback requires the same roles, with the same number of people, as the release gate of the risk tier. Each
person signs a separate order, which must follow the rules for decisions (order_rules.py). The orders wait in the ledger
until all of them are there. They become void when another release is promoted. An emergency rollback requires only one
person, in the role that policy assigns (tasks/registry/promote/emergency_rollback.py).

The promotion statement that carries out the rollback is signed with the gate key (`promotion.rollback`).
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
from tasks.suppression import in_force as suppressions
from tasks.trust import dsse

ORDER_ENTRY_KIND = "rollback.ordered"
"""Kind of the ledger entry for an order that waits for the orders of other people. The body of the entry is
{"envelope": …}, and its subject is the model's name."""
ORDER_TYPE = "urn:hallmark:rollback:v1"


class Order(DatedDocument):
    """Predicate of a rollback order. The statement's subject is the release to restore."""

    person: str
    role: Name
    release: str
    environment: Name
    reason: str
    break_glass: bool
    follows: Sha256
    """Digest of the newest promotion statement at the time of signing (`dsse.digest`). The order becomes void when a
    newer statement is recorded."""
    joins: list[Sha256]
    """Digests of the earlier orders for the same rollback (`dsse.digest`)."""
    time: datetime


ORDER = SignedKind(ORDER_TYPE, Order, "an order", signer_of=lambda order: order.person)


@dataclass(frozen=True)
class SignedOrder:
    order: Order
    envelope: dict[str, Any]
    entry: Entry | None = None
    """Ledger entry of the order while it waits for other orders; None if it has none."""

    @property
    def sha256(self) -> str:
        return dsse.envelope_digest(self.envelope)


def deciding_roles(governance: Governance, tier: str) -> dict[str, int]:
    """Return the number of people required in each role at a risk tier's release gate, by role.

    The result is empty for a tier that policy no longer contains.
    """
    gates = governance.policy.tiers[tier].gates if tier in governance.policy.tiers else {}
    return {role.role: role.count for role in gates["release"].decisions} if "release" in gates else {}


def incident_role(governance: Governance, tier: str) -> str | None:
    """Return the role responsible for a risk tier's incidents: the first role that decides at its release gate."""
    return next(iter(deciding_roles(governance, tier)), None)


def deciding_role(claim: OrderClaim, requested_role: str | None, ledger: Ledger, governance: Governance) -> str:
    """Return the role in which a person orders a rollback.

    Raises:
        Refused: The rules do not allow the order in the `requested_role` role or, if none is given, in any role of the
            person.
        InputError: No role is given, and the person has more than one suitable role.
    """
    person, asked = claim.person, list(deciding_roles(governance, claim.target.promotion.tier))
    held = [role for role in asked if role in person.roles_at(claim.order_time)]
    reasons = {
        role: order_rules.rejection_reason(claim, role, ledger, governance)
        for role in ([requested_role] if requested_role else held or asked[:1] or [""])
    }
    allowed = [role for role, reason in reasons.items() if reason is None]
    if not allowed:
        label = claim.target.promotion.label
        raise Refused(f"{person.id} may not order a rollback to {label}: {next(iter(reasons.values()))}")
    if len(allowed) > 1:
        raise InputError(f"{person.id} holds {' and '.join(allowed)}; say in which --role they order it")
    return allowed[0]


def target_statement(
    ledger: Ledger, governance: Governance, model_promotions: Promotions, label: str
) -> SignedPromotion:
    """Return the promotion statement of the release to restore.

    Raises:
        InputError: No release with this label was promoted in this environment.
        Refused: The release is already champion, has a lower risk tier, was approved by demo identities outside
            environment `local`, was retired by an erasure, fails verification, or has a withdrawn source.
    """
    back_to = next(
        (signed for signed in reversed(model_promotions.valid_statements) if signed.promotion.label == label), None
    )
    if back_to is None or model_promotions.newest_statement is None:
        known = (
            ", ".join(dict.fromkeys(signed.promotion.label for signed in model_promotions.valid_statements)) or "none"
        )
        raise InputError(f"{label!r} was never promoted in {governance.policy.environment}; known: {known}")
    if model_promotions.newest_statement.promotion.label == label:
        raise Refused(f"{label} is the champion already")
    promotions.require_tier_not_lower(back_to.promotion.tier, model_promotions.newest_statement, governance.policy)
    if back_to.promotion.demo and not governance.is_local:
        raise Refused(f"{label} was approved by demo identities, which count in environment local alone")
    suppressions.require_not_retired(label, ledger)
    verified = verification.require_valid_release(bundle.release_folder(governance.state, label), governance)
    if verified.release_sha256 != back_to.release_sha256:
        raise Refused(f"the bundle of {label} is not the release that was promoted under that name")
    release_sources.require_sources_not_withdrawn(
        bundle.release_folder(governance.state, label) / bundle.PAYLOAD, ledger, governance
    )
    return back_to


def order_statement(order: Order, target: SignedPromotion) -> dict[str, Any]:
    return dsse.make_statement(ORDER_TYPE, {order.release: target.release_sha256}, order.json_value)


def pending_orders(
    ledger: Ledger, governance: Governance, target: SignedPromotion, champion_statement: SignedPromotion
) -> list[SignedOrder]:
    """Return the valid orders that wait for the orders of other people, at most one for each person."""
    by_person: dict[str, SignedOrder] = {}
    for entry in ledger.entries(ORDER_ENTRY_KIND, target.promotion.name):
        try:
            signed = _verify_order(entry, ledger, governance, target)
        except HallmarkError:
            continue  # not signed by a person who may order it
        if signed.order.follows == champion_statement.sha256:
            by_person.setdefault(signed.order.person, signed)
    return list(by_person.values())


def missing_orders(governance: Governance, target: SignedPromotion, orders: list[SignedOrder]) -> list[str]:
    wanted = deciding_roles(governance, target.promotion.tier)
    missing = {role: count - sum(each.order.role == role for each in orders) for role, count in wanted.items()}
    return [f"{count} more order{'s' * (count > 1)} in role {role}" for role, count in missing.items() if count > 0]


def _verify_order(entry: Entry, ledger: Ledger, governance: Governance, target: SignedPromotion) -> SignedOrder:
    signed = verify_entry(entry, ORDER, governance)
    order = signed.document
    person = governance.require_actor(order.person, signed.effective_at)
    wanted = ({target.promotion.label: target.release_sha256}, governance.policy.environment, False)
    if (signed.subjects, order.environment, order.break_glass) != wanted:
        raise Refused("it orders something else")
    deciding_role(OrderClaim(person, target, signed.effective_at, signed.keyid), order.role, ledger, governance)
    return SignedOrder(order, signed.envelope, entry)
