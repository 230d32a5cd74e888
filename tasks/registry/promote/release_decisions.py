"""Decisions about a release, read from the ledger after verifying their signatures.

The promotion statement of the release lists the digests of those decisions that let its gates pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused
from tasks.core.formatting import format_exact_time
from tasks.gates import cases, signed_decision
from tasks.gates.signed_decision import Decision, Verb
from tasks.gates.signed_decision import SignedDecision as SignedDecision
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.registry.release import bundle
from tasks.registry.release.promotions import Promotion
from tasks.trust.gate_statement import GateName

VERB_PAST_FORMS = {"approve": "approved", "reject": "rejected", "waive": "waived", "withdraw": "withdrew a decision"}


@dataclass(frozen=True)
class LedgerDecision:
    """Decision in the ledger, with a verified signature."""

    signed: SignedDecision
    counted: bool
    """Whether the decision was taken into account when its gate was passed. If so, it is part of the release."""

    @property
    def entry(self) -> Entry:
        return self.signed.entry

    @property
    def decision(self) -> Decision:
        return self.signed.decision

    @property
    def demo(self) -> bool:
        """Return whether a demo identity made the decision. If so, no person has examined the evidence."""
        return self.signed.person.demo


class DecisionSummary(FrozenModel):
    """Decision as it is shown by commands and pages."""

    gate: GateName
    verb: Verb
    person: str
    role: str
    """Role of the person; empty in a withdrawal."""
    demo: bool
    """Whether a demo identity decided instead of a person."""
    reason: str
    checks: list[str]
    """Names of the waived checks; empty unless the decision is a waiver."""
    expires: datetime | None
    """Expiry time of the waiver; null unless the decision is a waiver."""
    time: datetime
    """Time from which the decision is valid, by the ledger's clock."""
    entry: int
    run: str
    """Run for which the decision was made. This is an earlier run if its approval of the same data was carried over."""
    counted: bool
    """Whether the decision was taken into account when the gate was passed."""

    def describe(self) -> str:
        what = f"{VERB_PAST_FORMS[self.verb]}{' ' * bool(self.checks)}{', '.join(self.checks)} by {self.person}"
        role = f" as {self.role}" if self.role else ""
        demo = ", a demo identity" if self.demo else ""
        where = f"ledger entry {self.entry}{'' if self.counted else ', not among those that it was passed on'}"
        return f"{what}{role}{demo}, {format_exact_time(self.time)} ({where}): {self.reason or 'no reason'}"


def decisions_by_gate(
    promotion: Promotion, ledger: Ledger, governance: Governance
) -> dict[GateName, list[LedgerDecision]]:
    """Return all decisions about the evidence that a run submitted to its gates, by gate, oldest first.

    Decisions that fail verification are omitted. Approvals of the same data for another run are omitted too, unless
    they counted at this run's gate.
    """
    return {gate: _decisions_at_gate(gate, promotion, ledger, governance) for gate in promotion.gates}


def decision_summaries(promotion: Promotion, ledger: Ledger, governance: Governance) -> list[DecisionSummary]:
    """Return a summary of each decision about the evidence that a run submitted, in gate order."""
    return [
        _decision_summary(gate, it)
        for gate, every in decisions_by_gate(promotion, ledger, governance).items()
        for it in every
    ]


def _decisions_at_gate(
    gate: GateName, promotion: Promotion, ledger: Ledger, governance: Governance
) -> list[LedgerDecision]:
    carried = set(bundle.files_below(promotion.files, f"{bundle.ATTESTATIONS}/decisions/{gate}").values())
    subjects = {case.evidence.subject.sha256 for case in cases.readable_cases(ledger, promotion.run, gate)}
    found = [each for subject in subjects for each in _decisions_about(subject, gate, ledger, governance)]
    # A decision's file holds the canonical JSON of its envelope, so its digest is the envelope's `sha256`.
    every = [LedgerDecision(each, each.sha256 in carried) for each in sorted(found, key=lambda each: each.entry.seq)]
    return [it for it in every if it.counted or it.decision.run == promotion.run or it.decision.verb != "approve"]


def _decisions_about(subject: str, gate: GateName, ledger: Ledger, governance: Governance) -> Iterator[SignedDecision]:
    for entry in ledger.entries(signed_decision.ENTRY_KIND, subject):
        try:
            signed = signed_decision.read_decision(entry, governance)
        except Refused:
            continue
        if signed.decision.gate == gate:
            yield signed


def _decision_summary(gate: GateName, it: LedgerDecision) -> DecisionSummary:
    said = it.decision
    return DecisionSummary(
        gate=gate, verb=said.verb, person=said.person, role=said.role, demo=it.demo, reason=said.reason,
        checks=said.checks, expires=said.expires, time=it.signed.effective_at, entry=it.entry.seq, run=said.run,
        counted=it.counted,
    )  # fmt: skip
