"""One decision as a person signs it, and as it is read back. Nothing else in a ledger entry is ever believed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tasks.core.errors import Refused
from tasks.core.params.values import Sha256
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.read_signed import Dated, Kind, read_signed
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName

KIND = "gate.decision"
PREDICATE_TYPE = "urn:hallmark:gate-decision:v1"
Verb = Literal["approve", "reject", "waive", "withdraw"]


class Decision(Dated):
    """The predicate of a decision's in-toto statement; its subjects are the gate's subject and the evidence."""

    verb: Verb
    person: str
    role: str
    """The role in which it was made; empty for withdraw."""
    run: str
    gate: GateName
    policy_sha256: Sha256
    use_case: str
    tier: str
    purpose_sha256: Sha256
    """`Evidence.purpose_sha256`: what the use case was for. Data decisions count for that alone, in this tier and lower
    ones."""
    demo: bool
    """Made on a run under --demo-approvals."""
    reason: str
    checks: list[str]
    """Of waive: names of the failed checks."""
    expires: datetime | None
    """Of waive: until when it counts."""
    withdraws: list[Sha256]
    """Of withdraw: `dsse.digest` of the envelopes that count no more."""
    time: datetime
    """The ledger's time when it was signed."""

    def same_as(self, other: "Decision") -> bool:
        """Whether it decides the same, whenever and why ever."""
        left, right = (d.model_dump(exclude={"time", "reason"}) for d in (self, other))
        return left == right


DECISION = Kind(PREDICATE_TYPE, Decision, "a decision", by=lambda said: said.person)


@dataclass(frozen=True)
class Signed:
    """A decision that its person signed with a key that counted at `time`."""

    entry: Entry
    decision: Decision
    person: Person
    sha256: str
    """`dsse.digest` of the envelope."""
    keyid: str
    """Fingerprint of the key."""
    stage: str
    subject_sha256: str
    evidence_sha256: str

    @property
    def time(self) -> datetime:
        """When it counts from: a time moved back, in the entry or by the signer, gains nothing."""
        return max(self.entry.time, self.decision.time)


def statement(decision: Decision, stage: str, subject_sha256: str, evidence_sha256: str) -> dict[str, Any]:
    """What is signed: the decision, about the gate's subject and the evidence."""
    subject = {stage: subject_sha256, f"evidence/{decision.gate}.json": evidence_sha256}
    return dsse.statement(PREDICATE_TYPE, subject, decision.said)


def read(entry: Entry, governance: Governance) -> Signed:
    """Verify an entry's envelope against the keys of whom it names that counted then. Raises Refused."""
    signed = read_signed(entry, DECISION, governance)
    decision, person, subjects = signed.said, signed.person, signed.subjects
    assert person is not None, "no machine decides"
    evidence_name = f"evidence/{decision.gate}.json"
    stages = [name for name in subjects if name != evidence_name]
    if evidence_name not in subjects or len(stages) != 1:
        raise Refused("the statement names other subjects than one output and its evidence")
    stage = stages[0]
    return Signed(entry, decision, person, signed.sha256, signed.keyid, stage, subjects[stage], subjects[evidence_name])


def claimed(entry: Entry) -> tuple[str, str]:
    """Who an entry says decided, and what: for messages about entries that do not verify."""
    try:
        predicate = dsse.peek(entry.body["envelope"])["predicate"]
        return str(predicate["person"]), str(predicate["verb"])
    except (Refused, KeyError, TypeError):
        return "?", "?"
