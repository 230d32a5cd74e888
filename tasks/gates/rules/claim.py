"""Claim that a decision counts at a gate, with all facts that the rules need."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tasks.gates.evidence import Evidence
from tasks.gates.signed_decision import Decision
from tasks.ledger.entry import Entry
from tasks.policy.people import Person
from tasks.policy.policy import Policy

BINDING_VERBS = ("approve", "waive")
"""Verbs that can let a run continue. Rejections and withdrawals cannot, so fewer rules apply to them."""


@dataclass(frozen=True)
class DecisionClaim:
    decision: Decision
    person: Person
    key_fingerprint: str
    stage: str
    subject_sha256: str
    evidence: Evidence
    """Evidence of the gate that the decision is used for."""
    own_evidence: Evidence | None
    """Evidence on which the decision was made: `evidence` itself, or the evidence of an earlier run if the decision
    carries over from it. None if it is not available, as in a release."""
    policy: Policy
    effective_at: datetime
    """Time from which the decision is valid. The person must hold the role at this time."""
    recorded_at: datetime
    """Time at which the decision was recorded; for a release, the latest possible time."""
    now: datetime
    """Time at which a waiver must still be valid."""
    opened_at: datetime | None = None
    """Time at which the gate was opened with `own_evidence`; None if it is unknown, as in a release."""
    deadline: datetime | None = None
    """Deadline of the gate that was opened with `own_evidence`; None if it is unknown."""
    closing_entry: Entry | None = None
    """Ledger entry that closed the gate, or the earlier run's gate, before the decision was recorded. None if there is
    no such entry or it is unknown."""

    @property
    def is_carried_over(self) -> bool:
        return self.own_evidence is not self.evidence

    @property
    def is_binding(self) -> bool:
        return self.decision.verb in BINDING_VERBS


Rule = Callable[[DecisionClaim], str | None]
"""Function that returns the reason why a claim breaks a rule, or None if the claim satisfies it."""
