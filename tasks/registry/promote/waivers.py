"""Waivers that a release relies on.

The checks that failed are those in the evidence whose digest is in the release's promotion statement, whatever the
ledger was given later. A waiver counts by the rules for decisions (tasks/gates/rules/), under the policy in force when
the gate was opened.

A release that relies on an expired waiver can no longer be promoted. If the release is champion already, it stays in
production, and an incident is opened.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_time
from tasks.gates import cases
from tasks.gates.cases import GateCase
from tasks.gates.decision_validity import verify_decisions
from tasks.gates.signed_decision import SignedDecision
from tasks.incidents import incidents
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import adoption
from tasks.policy.governance import Governance
from tasks.policy.policy import Policy
from tasks.registry.promote import rollback_orders
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.trust.gate_statement import GateName


class FailedCheck(FrozenModel):
    """Failed check, and the waiver that allowed the gate to pass anyway."""

    gate: GateName
    check: str
    who: str
    """Person who waived the check, in the form `PERSON as ROLE`. If no waiver in the ledger can be verified, this field
    and the next three are empty or null."""
    reason: str
    expires: datetime | None
    entry: int | None
    """Number of the waiver's ledger entry."""
    counts: bool
    """Whether the waiver is valid at the requested time."""

    def __str__(self) -> str:
        until = f"expired on {format_time(self.expires)}" if self.expires else "cannot be verified"
        return f"the waiver of check {self.check!r} at the {self.gate} gate {until}"

    def describe(self) -> str:
        what = f"{self.gate} gate, check {self.check!r}: "
        if self.expires is None:
            return f"{what}it failed, and no waiver of it in the ledger can be verified"
        stands = "counts until" if self.counts else "EXPIRED on"
        return f"{what}waived by {self.who}, {stands} {format_time(self.expires)}: {self.reason or 'no reason'}"


def failed_checks(
    ledger: Ledger, governance: Governance, signed: SignedPromotion, judged_at: datetime | None = None
) -> list[FailedCheck]:
    """Return every check that failed in the run that made a release, with its waiver.

    Evidence and decisions are read from the ledger. The validity of waivers is judged at the time `judged_at`, by
    default now.

    Raises:
        Refused: The ledger does not hold the evidence of a gate that the release passed.
    """
    reliances, moment = [], judged_at or ledger.now()
    passed_on = bundle.evidence_digests(signed.promotion.files)
    for gate in signed.promotion.gates:
        case = cases.require_case(ledger, signed.promotion.run, gate, passed_on.get(gate))
        failed = [check.name for check in case.evidence.checks if check.verdict == "failed"]
        waived = _longest_waivers(case, passed_on, ledger, governance) if failed else {}
        reliances += [_failed_check(gate, name, waived.get(name), moment) for name in failed]
    return reliances


def expired_waivers(ledger: Ledger, governance: Governance, signed: SignedPromotion) -> list[FailedCheck]:
    return [each for each in failed_checks(ledger, governance, signed) if not each.counts]


def require_valid_waivers(ledger: Ledger, governance: Governance, signed: SignedPromotion) -> None:
    """Verify that every waiver that a release relies on is valid.

    Raises:
        Refused: A waiver has expired or cannot be verified.
    """
    if expired := expired_waivers(ledger, governance, signed):
        raise Refused(f"{signed.promotion.label} is not promoted: {'; '.join(map(str, expired))}")


def open_incidents(name: str, ledger: Ledger, governance: Governance) -> list[Entry]:
    """Open an incident for every expired waiver of a model's champion. Serving is not affected.

    Raises:
        Refused: The ledger does not hold the evidence of a gate that the champion passed.
    """
    newest = promotions.read_promotions(ledger, governance, name).newest_statement
    expired = expired_waivers(ledger, governance, newest) if newest else []
    opened = [_open_incident(each, newest, ledger, governance) for each in expired if newest]
    return [entry for entry in opened if entry]


def _open_incident(
    expired_check: FailedCheck, newest: SignedPromotion, ledger: Ledger, governance: Governance
) -> Entry | None:
    label, until = newest.promotion.label, expired_check.expires.isoformat() if expired_check.expires else None
    facts = {
        "release": newest.release_sha256,
        "gate": expired_check.gate,
        "check": expired_check.check,
        "expires": until,
    }
    text = (
        f"champion {label} relies on it: {expired_check}. It is served until somebody decides: promote a release "
        "that does without, go back to an earlier one, or close this with the reason why it may stay"
    )
    role = rollback_orders.incident_role(governance, newest.promotion.tier)
    return incidents.open_incident_if_new(ledger, governance, "waiver-expired", label, facts, "major", role, text)


def _failed_check(gate: GateName, check: str, waiver: SignedDecision | None, moment: datetime) -> FailedCheck:
    if waiver is None:
        return FailedCheck(gate=gate, check=check, who="", reason="", expires=None, entry=None, counts=False)
    said = waiver.decision
    counts = said.expires is not None and said.expires > moment
    who = f"{said.person} as {said.role}"
    return FailedCheck(
        gate=gate, check=check, who=who, reason=said.reason, expires=said.expires, entry=waiver.entry.seq, counts=counts
    )


def _longest_waivers(
    case: GateCase, passed_on: Mapping[GateName, str], ledger: Ledger, governance: Governance
) -> dict[str, SignedDecision]:
    longest: dict[str, SignedDecision] = {}
    for each in _valid_waivers(case, passed_on, ledger, governance):
        for name in each.decision.checks:
            longest[name] = max(longest.get(name, each), each, key=_expiry_time)
    return longest


def _expiry_time(each: SignedDecision) -> datetime:
    assert each.decision.expires is not None
    return each.decision.expires


def _valid_waivers(
    case: GateCase, passed_on: Mapping[GateName, str], ledger: Ledger, governance: Governance
) -> list[SignedDecision]:
    """Return the waivers that count at a gate, including those that have expired since."""
    rules = replace(governance, policy=_policy_of(case, governance))
    try:
        before_any_expiry = case.opening_entry.time
        judged = verify_decisions(case, ledger, rules, before_any_expiry, passed_on)
    except InputError:  # neither an adoption nor the policy in force has the gate
        return []
    return [each.signed for each in judged if each.signed and each.decision and each.decision.verb == "waive"]


def _policy_of(case: GateCase, governance: Governance) -> Policy:
    """Return the adopted policy under which a gate was opened; the policy in force if that one was not adopted."""
    wanted = case.evidence.policy_sha256
    if wanted == governance.policy_sha256:
        return governance.policy
    adopted = (adoption.read_adoption(envelope).policy for envelope in reversed(governance.chain))
    return next((policy for policy in adopted if policy.digest() == wanted), governance.policy)
