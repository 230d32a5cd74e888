"""When a decision was made: while the gate took decisions, and not ahead of its time."""

from tasks.gates.rules.claim import Claim, Rule
from tasks.trust.validity import AHEAD, shown


def dated_ahead(claim: Claim) -> str | None:
    """By a clock set ahead a role or key would count before it does."""
    if claim.decision.time > claim.recorded:
        return f"it says that it was signed on {shown(claim.decision.time)}, and was recorded before"
    return None


def dated_back(claim: Claim) -> str | None:
    """Before the question there was nothing to decide."""
    if claim.asked is None or claim.decision.time >= claim.asked - AHEAD:
        return None
    return f"it says that it was signed on {shown(claim.decision.time)}, before its gate was asked"


def closed(claim: Claim) -> str | None:
    """What a gate let pass rests on what was said until then."""
    if claim.closed is None:
        return None
    return (
        f"gate {claim.decision.gate} of run {claim.closed.subject} closed on {claim.closed.time:%Y-%m-%d %H:%M} UTC "
        f"({claim.closed.body.get('state')}) and takes no more decisions"
    )


def late(claim: Claim) -> str | None:
    """A question that stands open for ever would be answered by whoever comes to it last."""
    if claim.deadline is None or claim.time <= claim.deadline:
        return None
    return f"the deadline of gate {claim.decision.gate} passed on {claim.deadline:%Y-%m-%d %H:%M} UTC"


RULES: tuple[Rule, ...] = (closed, late, dated_ahead, dated_back)
