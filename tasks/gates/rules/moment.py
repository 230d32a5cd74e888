"""Rules about the time of a decision: made while the gate was open, and not dated ahead or back."""

from tasks.gates.rules.claim import Claim, Rule
from tasks.trust.validity import AHEAD, shown


def dated_ahead(claim: Claim) -> str | None:
    """Refuse a decision dated after its entry: with a clock set ahead, a role or key would count too early."""
    if claim.decision.time > claim.recorded:
        return f"it says that it was signed on {shown(claim.decision.time)}, and was recorded before"
    return None


def dated_back(claim: Claim) -> str | None:
    """Refuse a decision dated before its gate was opened: there was nothing to decide yet."""
    if claim.asked is None or claim.decision.time >= claim.asked - AHEAD:
        return None
    return f"it says that it was signed on {shown(claim.decision.time)}, before its gate was asked"


def closed(claim: Claim) -> str | None:
    """Refuse a decision after the gate closed: what passed depends on the decisions before."""
    if claim.closed is None:
        return None
    return (
        f"gate {claim.decision.gate} of run {claim.closed.subject} closed on {claim.closed.time:%Y-%m-%d %H:%M} UTC "
        f"({claim.closed.body.get('state')}) and takes no more decisions"
    )


def late(claim: Claim) -> str | None:
    """Refuse a decision after the deadline, so that no gate stays open for ever."""
    if claim.deadline is None or claim.time <= claim.deadline:
        return None
    return f"the deadline of gate {claim.decision.gate} passed on {claim.deadline:%Y-%m-%d %H:%M} UTC"


RULES: tuple[Rule, ...] = (closed, late, dated_ahead, dated_back)
