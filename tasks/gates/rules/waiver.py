"""Rules about the checks and the duration of a waiver; other decisions always pass."""

from datetime import timedelta

from tasks.core.formatting import format_time
from tasks.gates.rules.claim import DecisionClaim, Rule


def refuse_incomplete(claim: DecisionClaim) -> str | None:
    said = claim.decision
    if said.verb != "waive" or (said.reason.strip() and said.checks and said.expires):
        return None
    return "a waiver needs a reason, the checks it is for and an expiry"


def refuse_changed_result(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a waiver if the check's result has changed since the person saw it."""
    if claim.decision.verb != "waive" or claim.own_evidence is None:
        return None
    for name in claim.decision.checks:
        then, here = ([c for c in e.checks if c.name == name] for e in (claim.own_evidence, claim.evidence))
        if then != here:
            return f"check {name!r} came out differently when it was waived"
    return None


def refuse_check_not_failed(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a waiver of a check that did not fail, because checks cannot be waived in advance."""
    if claim.decision.verb != "waive":
        return None
    known = sorted(check.name for check in claim.evidence.checks if check.verdict == "failed")
    other = next((name for name in claim.decision.checks if name not in known), None)
    return f"check {other!r} did not fail; waivers are for {', '.join(known) or 'none'}" if other is not None else None


def refuse_unwaivable(claim: DecisionClaim) -> str | None:
    if claim.decision.verb != "waive":
        return None
    asks = claim.evidence.asks
    if asks.waive is None:
        return "policy lets nobody waive a check at this gate"
    beyond = [name for name in claim.decision.checks if not asks.waive.allows_waiver_of(name)]
    return f"policy lets nobody waive {', '.join(map(repr, beyond))}" if beyond else None


def refuse_too_long(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a waiver that lasts longer than policy allows.

    The duration is counted from the signing time or from the time of the ledger entry, whichever is earlier. Postdating
    a waiver therefore has no effect.
    """
    said, waive = claim.decision, claim.evidence.asks.waive
    if said.verb != "waive" or waive is None or said.expires is None:
        return None
    latest = min(claim.recorded_at, said.time) + timedelta(days=waive.max_days)
    if said.expires <= latest:
        return None
    return (
        f"a waiver at gate {said.gate} may last {waive.max_days:g} days, until {format_time(latest)}, and this "
        f"one is until {said.expires:%Y-%m-%d %H:%M}"
    )


def refuse_expired(claim: DecisionClaim) -> str | None:
    said = claim.decision
    if said.verb != "waive" or said.expires is None or said.expires > claim.now:
        return None
    return f"the waiver expired on {format_time(said.expires)}"


RULES: tuple[Rule, ...] = (
    refuse_incomplete,
    refuse_changed_result,
    refuse_check_not_failed,
    refuse_unwaivable,
    refuse_too_long,
    refuse_expired,
)
