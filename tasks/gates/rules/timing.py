"""Rules about the time of a decision: made while the gate was open, and neither postdated nor backdated."""

from tasks.core.formatting import format_time
from tasks.gates.rules.claim import DecisionClaim, Rule
from tasks.trust.validity import CLOCK_TOLERANCE


def refuse_postdated(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision that is dated later than its ledger entry.

    Otherwise somebody could set the clock ahead, and use a role or key that is not valid yet.
    """
    if claim.decision.time > claim.recorded_at:
        return f"it says that it was signed on {format_time(claim.decision.time)}, and was recorded before"
    return None


def refuse_backdated(claim: DecisionClaim) -> str | None:
    if claim.opened_at is None or claim.decision.time >= claim.opened_at - CLOCK_TOLERANCE:
        return None
    return f"it says that it was signed on {format_time(claim.decision.time)}, before its gate was asked"


def refuse_after_closing(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision that was recorded after the gate had closed. The run no longer waits."""
    if claim.closing_entry is None:
        return None
    return (
        f"gate {claim.decision.gate} of run {claim.closing_entry.subject} closed on "
        f"{format_time(claim.closing_entry.time)} "
        f"({claim.closing_entry.body.get('state')}) and takes no more decisions"
    )


def refuse_after_deadline(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision after the deadline. Without deadlines, gates could stay open forever."""
    if claim.deadline is None or claim.effective_at <= claim.deadline:
        return None
    return f"the deadline of gate {claim.decision.gate} passed on {format_time(claim.deadline)}"


RULES: tuple[Rule, ...] = (refuse_after_closing, refuse_after_deadline, refuse_postdated, refuse_backdated)
