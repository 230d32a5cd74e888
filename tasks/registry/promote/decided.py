"""The decisions behind a release, as the ledger has them signed: what was decided, by whom, when and why.

Which of them the release's gates were passed on, its promotion statement says: it lists the file of each by digest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tasks.core.config import Frozen
from tasks.core.errors import Refused
from tasks.gates import cases, signed_decision
from tasks.gates.signed_decision import Decision, Verb
from tasks.gates.signed_decision import Signed as SignedDecision
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.registry.release import bundle
from tasks.registry.release.promotions import Promotion
from tasks.trust.gate_statement import GateName

PASSED = {"approve": "approved", "reject": "rejected", "waive": "waived", "withdraw": "withdrew a decision"}
"""Verbs as what was done."""


@dataclass(frozen=True)
class Decided:
    """A decision in the ledger whose signature verified."""

    signed: SignedDecision
    counted: bool
    """The release carries it: it is one of those that its gate was passed on."""

    @property
    def entry(self) -> Entry:
        return self.signed.entry

    @property
    def decision(self) -> Decision:
        return self.signed.decision

    @property
    def demo(self) -> bool:
        """Whether a demo identity made it, so nobody looked."""
        return self.signed.person.demo


class DecisionLine(Frozen):
    """One decision as commands and pages show it."""

    gate: GateName
    verb: Verb
    person: str
    role: str
    """Empty of a withdrawal."""
    demo: bool
    """A demo identity made it: nobody looked."""
    reason: str
    checks: list[str]
    """Of a waiver."""
    expires: datetime | None
    """Of a waiver."""
    time: datetime
    """From when it counts, by the ledger."""
    entry: int
    run: str
    """The run at which it was given; of an approval of data that was carried over, an earlier one."""
    counted: bool
    """Whether the gate was passed on it."""

    def describe(self) -> str:
        """In one line who decided what, when, where it stands in the ledger, and why."""
        what = f"{PASSED[self.verb]}{' ' * bool(self.checks)}{', '.join(self.checks)} by {self.person}"
        role = f" as {self.role}" if self.role else ""
        demo = ", a demo identity" if self.demo else ""
        where = f"ledger entry {self.entry}{'' if self.counted else ', not among those that it was passed on'}"
        return f"{what}{role}{demo}, {self.time:%Y-%m-%d %H:%M:%S} UTC ({where}): {self.reason or 'no reason'}"


def of(promotion: Promotion, ledger: Ledger, governance: Governance) -> dict[GateName, list[Decided]]:
    """Every decision on what the run put to its gates, oldest first; those that do not verify are left out, and so are
    approvals of the same data that were given to another run and that its gate was not passed on."""
    return {gate: _at(gate, promotion, ledger, governance) for gate in promotion.gates}


def lines(promotion: Promotion, ledger: Ledger, governance: Governance) -> list[DecisionLine]:
    """The same for commands and pages, gate by gate."""
    return [_line(gate, it) for gate, every in of(promotion, ledger, governance).items() for it in every]


def _at(gate: GateName, promotion: Promotion, ledger: Ledger, governance: Governance) -> list[Decided]:
    carried = set(bundle.part(promotion.files, f"{bundle.ATTESTATIONS}/decisions/{gate}").values())
    subjects = {case.evidence.subject.sha256 for case in cases.read(ledger, promotion.run, gate)}
    found = [each for subject in subjects for each in _about(subject, gate, ledger, governance)]
    # A decision's file holds its envelope in the one spelling of which `sha256` is the digest.
    every = [Decided(each, each.sha256 in carried) for each in sorted(found, key=lambda each: each.entry.seq)]
    return [it for it in every if it.counted or it.decision.run == promotion.run or it.decision.verb != "approve"]


def _about(subject: str, gate: GateName, ledger: Ledger, governance: Governance) -> Iterator[SignedDecision]:
    for entry in ledger.entries(signed_decision.KIND, subject):
        try:
            signed = signed_decision.read(entry, governance)
        except Refused:
            continue
        if signed.decision.gate == gate:
            yield signed


def _line(gate: GateName, it: Decided) -> DecisionLine:
    said = it.decision
    return DecisionLine(
        gate=gate, verb=said.verb, person=said.person, role=said.role, demo=it.demo, reason=said.reason,
        checks=said.checks, expires=said.expires, time=it.signed.time, entry=it.entry.seq, run=said.run,
        counted=it.counted,
    )  # fmt: skip
