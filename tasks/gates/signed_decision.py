"""Signed decisions, and their verification. Only the signed part of a ledger entry is used."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tasks.core.errors import Refused
from tasks.core.params.values import Sha256
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_document import DatedDocument, SignedKind, verify_entry
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName

ENTRY_KIND = "gate.decision"
PREDICATE_TYPE = "urn:hallmark:gate-decision:v1"
Verb = Literal["approve", "reject", "waive", "withdraw"]


class Decision(DatedDocument):
    """Decision as a person signs it: the predicate of an in-toto statement.

    The statement's subjects are the gate's subject and the evidence.
    """

    verb: Verb
    person: str
    role: str
    """Role in which the decision is made; empty for `withdraw`."""
    run: str
    gate: GateName
    policy_sha256: Sha256
    use_case: str
    tier: str
    purpose_sha256: Sha256
    """Digest of the use case's purpose (`Evidence.purpose_sha256`). Decisions on data are valid only for this purpose,
    in this risk tier and lower ones."""
    demo: bool
    """Whether the decision was made on a run with `--demo-approvals`."""
    reason: str
    checks: list[str]
    """Names of the failed checks that are waived; empty for other verbs."""
    expires: datetime | None
    """Time at which the waiver ends; null for other verbs."""
    withdraws: list[Sha256]
    """Digest of each withdrawn decision's envelope, computed by `dsse.digest`; empty for other verbs."""
    time: datetime
    """Time of signing, by the ledger's clock."""

    def same_as(self, other: "Decision") -> bool:
        left, right = (d.model_dump(exclude={"time", "reason"}) for d in (self, other))
        return left == right


DECISION_KIND = SignedKind(PREDICATE_TYPE, Decision, "a decision", signer_of=lambda said: said.person)


@dataclass(frozen=True)
class SignedDecision:
    """Verified decision. Its key was valid at `effective_at`."""

    entry: Entry
    recorded_at: datetime
    """Time at which the entry counts as recorded (tasks/policy/signed_times.py)."""
    decision: Decision
    person: Person
    sha256: str
    keyid: str
    stage: str
    subject_sha256: str
    evidence_sha256: str

    @property
    def effective_at(self) -> datetime:
        """Time from which the decision is valid: the time of its signing or of its recording, whichever is later.

        Backdating therefore has no effect.
        """
        return max(self.recorded_at, self.decision.time)


def decision_statement(decision: Decision, stage: str, subject_sha256: str, evidence_sha256: str) -> dict[str, Any]:
    """Return the in-toto statement to sign. Its subjects are the gate's subject and the evidence."""
    subject = {stage: subject_sha256, f"evidence/{decision.gate}.json": evidence_sha256}
    return dsse.make_statement(PREDICATE_TYPE, subject, decision.json_value)


def read_decision(entry: Entry, governance: Governance) -> SignedDecision:
    signed = verify_entry(entry, DECISION_KIND, governance)
    decision, person, subjects = signed.document, signed.person, signed.subjects
    assert person is not None, "no machine decides"
    evidence_name = f"evidence/{decision.gate}.json"
    stages = [name for name in subjects if name != evidence_name]
    if evidence_name not in subjects or len(stages) != 1:
        raise Refused("the statement names other subjects than one output and its evidence")
    stage = stages[0]
    return SignedDecision(
        entry,
        governance.recorded_at(entry),
        decision,
        person,
        signed.sha256,
        signed.keyid,
        stage,
        subjects[stage],
        subjects[evidence_name],
    )


def unverified_person_and_verb(entry: Entry) -> tuple[str, str]:
    """Return the person and the verb that an entry names, for messages; `?` if they are missing.

    The signature of the entry is not verified.
    """
    try:
        predicate = dsse.unverified_statement(entry.body["envelope"])["predicate"]
        return str(predicate["person"]), str(predicate["verb"])
    except (Refused, KeyError, TypeError):
        return "?", "?"
