"""A decision and all that the rules hold it against."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tasks.gates.evidence import Evidence
from tasks.gates.signed_decision import Decision
from tasks.ledger.entry import Entry
from tasks.policy.people import Person
from tasks.policy.policy import Policy

BINDING = ("approve", "waive")
"""What lets something pass. A rejection and a withdrawal only hold back, so fewer rules stand against them."""


@dataclass(frozen=True)
class Claim:
    """That a decision counts at a gate."""

    decision: Decision
    person: Person
    key: str
    """Fingerprint of the key that signs."""
    stage: str
    subject_sha256: str
    """The output that was signed beside the decision."""
    evidence: Evidence
    """Of the gate at which it is to count."""
    made_on: Evidence | None
    """What it was made on: `evidence` itself, or that of the earlier run from which it carries over. None: not at hand,
    as in a release."""
    policy: Policy
    time: datetime
    """Since when it counts: roles must be held then."""
    recorded: datetime
    """When it was put on record; of a release the latest that this can have been."""
    now: datetime
    """Until then a waiver has to last."""
    asked: datetime | None = None
    """When the gate where it was made was asked; None: not at hand, as in a release."""
    deadline: datetime | None = None
    """Of the gate where it was made; None: not at hand."""
    closed: Entry | None = None
    """What closed the gate before the decision was put on record; None: nothing, or not at hand."""

    @property
    def carried(self) -> bool:
        """Whether it comes from an earlier run."""
        return self.made_on is not self.evidence

    @property
    def binding(self) -> bool:
        return self.decision.verb in BINDING


Rule = Callable[[Claim], str | None]
"""Why a claim fails; None where it holds."""
