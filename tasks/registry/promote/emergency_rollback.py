"""Emergency rollback: one person, in the role that policy assigns, makes an earlier release champion again.

The rollback opens an incident with the person's signed order, in the same transaction as the promotion statement. A
second person confirms the rollback by closing the incident within the number of hours that policy sets. Otherwise the
incident escalates. Serving continues in both cases. Commands and policy call an emergency rollback "breaking the
glass".
"""

from datetime import timedelta

from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_time
from tasks.incidents import incidents
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.tier import BreakGlass
from tasks.registry.promote import order_rules, waivers
from tasks.registry.promote.order_rules import OrderClaim
from tasks.registry.promote.rollback_orders import SignedOrder
from tasks.registry.release.promotions import SignedPromotion


def require_emergency_allowed(claim: OrderClaim, ledger: Ledger, governance: Governance) -> BreakGlass:
    """Verify that a person is allowed to order an emergency rollback, and return policy's rule for it.

    Raises:
        Refused: Policy has no such rule for the risk tier, the person lacks the required role, or the rules for
            rollback orders forbid the order.
    """
    person, tier = claim.person, claim.target.promotion.tier
    allowed = _emergency_rule(governance, tier)
    if allowed is None:
        raise Refused(f"policy lets nobody break the glass in risk tier {tier}; leave out --break-glass")
    if allowed.role not in person.roles_at(claim.order_time):
        raise Refused(f"{person.id} may not break the glass in risk tier {tier}: it takes role {allowed.role}")
    if reason := order_rules.rejection_reason(claim, allowed.role, ledger, governance):
        raise Refused(f"{person.id} may not break the glass in risk tier {tier}: {reason}")
    return allowed


def emergency_roles(governance: Governance, tier: str) -> list[str]:
    """Return the role that can order an emergency rollback in a risk tier, as a list; empty if policy has no rule."""
    allowed = _emergency_rule(governance, tier)
    return [allowed.role] if allowed else []


def _emergency_rule(governance: Governance, tier: str) -> BreakGlass | None:
    tiers = governance.policy.tiers
    return tiers[tier].break_glass if tier in tiers else None


def open_incident(order: SignedOrder, promotion: SignedPromotion, ledger: Ledger, governance: Governance) -> None:
    """Open the incident of an emergency rollback, given the order and the promotion statement that carried it out."""
    allowed = _emergency_rule(governance, promotion.promotion.tier)
    assert allowed is not None, "without a rule there is no emergency rollback"
    until = ledger.now() + timedelta(hours=allowed.confirm_hours)
    label = promotion.promotion.label
    gone = "".join(
        f" {str(each)[0].upper()}{str(each)[1:]}." for each in waivers.expired_waivers(ledger, governance, promotion)
    )
    text = (
        f"{label} was made champion again by breaking the glass, in role {allowed.role}. A second person in role "
        f"{allowed.confirm_role} confirms it until {format_time(until)}: hallmark releases confirm {label}.{gone}"
    )
    incidents.open_incident_if_new(
        ledger, governance, "break-glass", label, {"statement": promotion.sha256}, "major", allowed.confirm_role, text,
        caused_by=order.order.person, escalates_at=until, unsigned_details={"order": order.envelope},
    )  # fmt: skip


def confirm_rollback(ledger: Ledger, governance: Governance, label: str, person_id: str, reason: str) -> Entry:
    """Confirm an emergency rollback to a release as a second person, by closing its incident.

    Raises:
        InputError: There was no emergency rollback to that release.
        Refused: The person is not allowed to confirm the rollback, or it is already confirmed. Several emergency
            rollbacks to the release are open, or only an earlier one.
    """
    every = incidents.read_all(ledger, governance)
    found = [each for each in every if (each.opening.what, each.opening.about) == ("break-glass", label)]
    if not found:
        raise InputError(f"there was no emergency rollback to {label!r}; `hallmark incidents list` shows what is open")
    still_open = [each.id for each in found if not each.closing]
    if still_open and still_open != [found[-1].id]:
        close = "; ".join(f'hallmark incidents close {each} --as ID --reason "…"' for each in still_open)
        raise Refused(f"not only the newest emergency rollback to {label} is open, so say which you confirm: {close}")
    return incidents.close_incident(ledger, governance, found[-1].id, person_id, reason)
