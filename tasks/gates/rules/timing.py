"""Rules about the time of a decision: made while the gate was open, and neither postdated nor backdated."""

from tasks.core.formatting import format_time
from tasks.gates.rules.claim import Claim, Rule
from tasks.trust.validity import CLOCK_TOLERANCE


def dated_ahead(claim: Claim) -> str | None:
    """Return a reason to refuse a decision dated after its ledger entry.

    With a clock set ahead, a role or key would be valid too early.
    """
    if claim.decision.time > claim.recorded_at:
        return f"it says that it was signed on {format_time(claim.decision.time)}, and was recorded before"
    return None


def dated_back(claim: Claim) -> str | None:
    if claim.opened_at is None or claim.decision.time >= claim.opened_at - CLOCK_TOLERANCE:
        return None
    return f"it says that it was signed on {format_time(claim.decision.time)}, before its gate was asked"


def after_closing(claim: Claim) -> str | None:
    """Return a reason to refuse a decision after the gate has closed, because the run has continued without it."""
    if claim.closing_entry is None:
        return None
    return (
        f"gate {claim.decision.gate} of run {claim.closing_entry.subject} closed on "
        f"{format_time(claim.closing_entry.time)} "
        f"({claim.closing_entry.body.get('state')}) and takes no more decisions"
    )


def after_deadline(claim: Claim) -> str | None:
    """Return a reason to refuse a decision after the deadline. Without it, gates could stay open for ever."""
    if claim.deadline is None or claim.effective_at <= claim.deadline:
        return None
    return f"the deadline of gate {claim.decision.gate} passed on {format_time(claim.deadline)}"


RULES: tuple[Rule, ...] = (after_closing, after_deadline, dated_ahead, dated_back)
