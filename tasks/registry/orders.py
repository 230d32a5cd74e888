"""Who may order that an earlier release be champion again, and the order that they sign.

The order is one signature, the promotion statement that carries it out (`tasks.registry.promotion.rollback`) another.
"""

from typing import Any

from tasks.errors import InputError, Refused
from tasks.govern import dsse
from tasks.govern.governance import Governance
from tasks.govern.ledger import Ledger
from tasks.govern.people import Person
from tasks.registry import bundle, consent, verification
from tasks.registry.succession import Signed, Succession

ORDER_TYPE = "urn:hallmark:rollback:v1"


def may_order(governance: Governance, ledger: Ledger, person_id: str, target: Signed) -> Person:
    """The person, if they may order it: in a role that decides at the release gate of its risk tier.

    Raises InputError for somebody unknown, Refused for somebody who may not.
    """
    now = ledger.now()
    person = governance.actor(person_id, now)
    roles = deciders(governance, target.promotion.tier)
    if not set(roles) & set(person.roles_at(now)):
        raise Refused(
            f"{person.id} may not order a rollback: it takes a role that decides at the release gate "
            f"({', '.join(roles) or 'policy names none'})"
        )
    return person


def deciders(governance: Governance, tier: str) -> list[str]:
    """The roles that decide at the release gate of a risk tier; none for a tier that policy names no longer."""
    gates = governance.policy.tiers[tier].gates if tier in governance.policy.tiers else {}
    return [role.role for role in gates["release"].decisions] if "release" in gates else []


def owner_role(governance: Governance, tier: str) -> str | None:
    """Who answers for what happens to releases of a risk tier: the first role that decides at its release gate."""
    return next(iter(deciders(governance, tier)), None)


def target(governance: Governance, ledger: Ledger, line: Succession, label: str) -> Signed:
    """The statement of the release to go back to. Raises InputError or Refused where that is not possible."""
    found = next((signed for signed in reversed(line.valid) if signed.promotion.label == label), None)
    if found is None or line.newest is None:
        known = ", ".join(dict.fromkeys(signed.promotion.label for signed in line.valid)) or "none"
        raise InputError(f"{label!r} was never promoted in {governance.policy.environment}; known: {known}")
    if line.newest.promotion.label == label:
        raise Refused(f"{label} is the champion already")
    if found.promotion.demo and not governance.local:
        raise Refused(f"{label} was approved by demo identities, which count in environment local alone")
    verified = verification.require(bundle.folder(governance.state, label), governance)
    if verified.release_sha256 != found.release_sha256:
        raise Refused(f"the bundle of {label} is not the release that was promoted under that name")
    consent.require(bundle.folder(governance.state, label) / bundle.PAYLOAD, governance, ledger)
    return found


def sign(governance: Governance, ledger: Ledger, back_to: Signed, person: Person, reason: str) -> dict[str, Any]:
    """The envelope in which a person orders that `back_to` be champion again."""
    now = ledger.now()
    predicate = {
        "person": person.id,
        "release": back_to.promotion.label,
        "environment": governance.policy.environment,
        "reason": reason,
        "time": now.isoformat(),
    }
    statement = dsse.statement(ORDER_TYPE, {back_to.promotion.label: back_to.release_sha256}, predicate)
    return dsse.sign(statement, governance.signer(person, now))
