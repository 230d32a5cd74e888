"""Validity of the signed review in a gate's evidence, at the gate and in a release."""

from datetime import datetime

from tasks.core.errors import Refused
from tasks.gates.evidence import Evidence
from tasks.gates.signed_review import ENTRY_KIND, REVIEW_KIND, ReviewResult
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.signed_document import KeyDirectory, SignedDocument, verify_envelope

CASES_PATH = "artefacts/suites/cases.parquet"
"""Key of the verdicts about cases among the artefacts of evidence."""


def require_valid_review(
    evidence: Evidence, signers: KeyDirectory, environment: str, recorded_at: datetime | None = None
) -> None:
    """Verify the review in evidence, if it has one.

    Args:
        evidence: Evidence of a gate.
        signers: Keys of people.
        environment: Environment of the installation or release.
        recorded_at: Time at which the review counts as recorded; None if the ledger is not at hand.

    Raises:
        Refused: The signature is not valid, the review is about other answers or by somebody who may not review them.
        InputError: The signer has no key.
    """
    if evidence.review is None:
        return
    signed = verify_envelope(evidence.review, REVIEW_KIND, signers, recorded_at)
    said = signed.document
    of_evidence = (evidence.gate, evidence.run, evidence.subject.sha256, evidence.artefacts.get(CASES_PATH))
    if ("evaluation", said.run, said.evaluate_sha256, said.cases_sha256) != of_evidence:
        raise Refused(f"review {said.round} is about other answers than gate {evidence.gate} of run {evidence.run}")
    if why_not := refusal_reason(signed, evidence.requesters, evidence.demo, environment):
        raise Refused(why_not)


def require_recorded_review(evidence: Evidence, ledger: Ledger, governance: Governance) -> None:
    """Verify the review in evidence by the ledger, which must have it.

    Raises:
        Refused: The ledger lacks the review, or the review is not valid.
        InputError: The signer has no key.
    """
    if evidence.review is None:
        return
    recorded = ledger.entries(ENTRY_KIND, evidence.run)
    entry = next((each for each in recorded if each.body.get("envelope") == evidence.review), None)
    if entry is None:
        raise Refused(f"the ledger does not hold the review in the evidence of gate {evidence.gate}")
    require_valid_review(evidence, governance, governance.policy.environment, governance.recorded_at(entry))


def refusal_reason(
    signed: SignedDocument[ReviewResult], requesters: set[str], demo: bool, environment: str
) -> str | None:
    """Return a reason why somebody's review of a run does not count; None if it does.

    Args:
        signed: Signed review.
        requesters: Ids of the people who requested the run. Nobody judges the answers of their own run.
        demo: Whether the run is a demo run, at which demo identities may act.
        environment: Environment of the installation or release.
    """
    said, person = signed.document, signed.person
    if said.environment != environment:
        return f"review {said.round} was signed for environment {said.environment}, and this is {environment}"
    if said.person in requesters:
        return f"review {said.round} was led by {said.person}, who requested run {said.run}"
    if person is None or (person.demo and not demo):
        return f"review {said.round} was led by a demo identity, which counts in demo runs alone"
    return None
