"""Decisions behind a release, read from the ledger with their signatures verified.

The release's promotion statement lists, by digest, the decisions by which the release's gates were passed.
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

PAST_FORMS = {"approve": "approved", "reject": "rejected", "waive": "waived", "withdraw": "withdrew a decision"}


@dataclass(frozen=True)
class LedgerDecision:
    """Decision in the ledger, with a verified signature."""

    signed: SignedDecision
    counted: bool
    """Whether the decision counted when its gate was passed, and is therefore part of the release."""

    @property
    def entry(self) -> Entry:
        return self.signed.entry

    @property
    def decision(self) -> Decision:
        return self.signed.decision

    @property
    def demo(self) -> bool:
        """Return whether a demo identity made the decision, in which case no person examined the evidence."""
        return self.signed.person.demo


class DecisionSummary(FrozenModel):
    """Decision in the form that commands and pages show."""

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
    """Run in which the decision was made. For an approval of data that was carried over, this is an earlier run."""
    counted: bool
    """Whether the decision counted when the gate was passed."""

    def describe(self) -> str:
        what = f"{PAST_FORMS[self.verb]}{' ' * bool(self.checks)}{', '.join(self.checks)} by {self.person}"
        role = f" as {self.role}" if self.role else ""
        demo = ", a demo identity" if self.demo else ""
        where = f"ledger entry {self.entry}{'' if self.counted else ', not among those that it was passed on'}"
        return f"{what}{role}{demo}, {format_exact_time(self.time)} ({where}): {self.reason or 'no reason'}"


def by_gate(promotion: Promotion, ledger: Ledger, governance: Governance) -> dict[GateName, list[LedgerDecision]]:
    """Return all decisions about the evidence that a run submitted to its gates, by gate, oldest first.

    Decisions that fail verification are omitted. Approvals that were given to another run for the same data are omitted
    unless they counted at this run's gate.
    """
    return {gate: _decisions_at_gate(gate, promotion, ledger, governance) for gate in promotion.gates}


def summaries(promotion: Promotion, ledger: Ledger, governance: Governance) -> list[DecisionSummary]:
    """Return all decisions about the evidence that a run submitted, for commands and pages, in gate order."""
    return [_summary(gate, it) for gate, every in by_gate(promotion, ledger, governance).items() for it in every]


def _decisions_at_gate(
    gate: GateName, promotion: Promotion, ledger: Ledger, governance: Governance
) -> list[LedgerDecision]:
    carried = set(bundle.files_below(promotion.files, f"{bundle.ATTESTATIONS}/decisions/{gate}").values())
    subjects = {case.evidence.subject.sha256 for case in cases.read_all(ledger, promotion.run, gate)}
    found = [each for subject in subjects for each in _decisions_about(subject, gate, ledger, governance)]
    # A decision's file holds the canonical JSON of its envelope, so its digest is the envelope's `sha256`.
    every = [LedgerDecision(each, each.sha256 in carried) for each in sorted(found, key=lambda each: each.entry.seq)]
    return [it for it in every if it.counted or it.decision.run == promotion.run or it.decision.verb != "approve"]


def _decisions_about(subject: str, gate: GateName, ledger: Ledger, governance: Governance) -> Iterator[SignedDecision]:
    for entry in ledger.entries(signed_decision.KIND, subject):
        try:
            signed = signed_decision.read(entry, governance)
        except Refused:
            continue
        if signed.decision.gate == gate:
            yield signed


def _summary(gate: GateName, it: LedgerDecision) -> DecisionSummary:
    said = it.decision
    return DecisionSummary(
        gate=gate, verb=said.verb, person=said.person, role=said.role, demo=it.demo, reason=said.reason,
        checks=said.checks, expires=said.expires, time=it.signed.effective_at, entry=it.entry.seq, run=said.run,
        counted=it.counted,
    )  # fmt: skip
