"""Claim that a decision counts at a gate, with all facts that the rules look at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tasks.gates.evidence import Evidence
from tasks.gates.signed_decision import Decision
from tasks.ledger.entry import Entry
from tasks.policy.people import Person
from tasks.policy.policy import Policy

BINDING_VERBS = ("approve", "waive")
"""Verbs that let something pass. Rejections and withdrawals only hold it back, so fewer rules apply to them."""


@dataclass(frozen=True)
class Claim:
    """Claim that a decision counts at a gate."""

    decision: Decision
    person: Person
    key_fingerprint: str
    """Fingerprint of the signing key."""
    stage: str
    subject_sha256: str
    """Digest of the output that the signature covers."""
    evidence: Evidence
    """Evidence of the gate at which the decision is to count."""
    own_evidence: Evidence | None
    """Evidence that the decision was about: `evidence` itself, or that of the earlier run from which the decision
    carries over. None if it is not available, as in a release."""
    policy: Policy
    effective_at: datetime
    """Time from which the decision counts. Its person must hold the role at this time."""
    recorded_at: datetime
    """Time at which the decision was recorded; for a release, the latest time at which it can have been."""
    now: datetime
    """Time up to which a waiver must not have expired."""
    opened_at: datetime | None = None
    """Time at which the gate was opened where the decision was made; None if it is not available, as in a release."""
    deadline: datetime | None = None
    """Deadline of the gate where the decision was made; None if it is not available."""
    closing_entry: Entry | None = None
    """Entry that closed the gate before the decision was recorded; None if there is none, or it is not available."""

    @property
    def is_carried_over(self) -> bool:
        """Whether the decision was made in an earlier run."""
        return self.own_evidence is not self.evidence

    @property
    def binding(self) -> bool:
        return self.decision.verb in BINDING_VERBS


Rule = Callable[[Claim], str | None]
"""Function that returns the reason why a claim fails; None if it holds."""
