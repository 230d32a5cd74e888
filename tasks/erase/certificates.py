"""Certificate of an erasure, signed after a search of all files. It is recalled after an older backup was restored."""

from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.errors import Refused
from tasks.erase import certificate_content, conditions, subject, verification
from tasks.erase import plan as plans
from tasks.erase.erasure_lock import hold_lock
from tasks.erase.execution import require_rulings
from tasks.erase.subject import Subject
from tasks.policy import signed_entry
from tasks.policy.signed_document import SignedDocument, verify_envelope
from tasks.policy.signed_entry import Draft
from tasks.runs.checkout import Checkout
from tasks.sources.suppression_digests import person_digest
from tasks.sources.vault import open_vault
from tasks.suppression import cases, deciders
from tasks.suppression.cases import ErasureCase
from tasks.suppression.place_kinds import DELETE
from tasks.suppression.signed_documents import CERTIFICATE_KIND, CERTIFIED, ErasureCertificate
from tasks.trust import dsse


class Recalled(NamedTuple):
    erasure: str
    tokens: int
    """Number of the person's tokens that the vault has again."""


def certify(here: Checkout, erasure: str, person_id: str) -> dict[str, Any]:
    """Search all files, sign and record the certificate, and return its envelope.

    The vault's document about the person is removed. A repeated call returns the recorded envelope.

    Raises:
        Refused: The person may not certify, the erasure was not executed as decided last, or something is left that
            nobody decided to keep.
        InputError: There is no such erasure, or the vault does not know the person any more.
    """
    with hold_lock(here.state):
        return _certify(here, erasure, person_id)


def _certify(here: Checkout, erasure: str, person_id: str) -> dict[str, Any]:
    ledger, governance = here.ledger, here.governance
    case = cases.get_case(ledger, governance, erasure)
    if case.certificate:
        _require_not_back(here, case)
        subject.forget(here.state, erasure)
        return case.certificate.envelope
    person = governance.require_actor(person_id, ledger.now())
    deciders.require_may_decide(person, case.parties, ledger, governance, ledger.now())
    known = subject.unseal(here.state, erasure)
    plan = plans.make_plan(here, known)
    rulings = require_rulings(case, plan)
    conditions.require_carried_out(case, rulings)
    found = verification.search_all(here, known)
    conditions.require_nothing_left(erasure, rulings, found)
    conditions.require_sources_searched(rulings, known, found)

    def draft() -> list[Draft]:
        said = certificate_content.make_certificate(here, case, plan, rulings, found, person.id)
        return [Draft(CERTIFIED, erasure, CERTIFICATE_KIND.statement(said))]

    entry = signed_entry.sign_and_record(ledger, governance, person, draft)
    subject.forget(here.state, erasure)
    envelope: dict[str, Any] = entry.body["envelope"]
    return envelope


def verify_certificate(path: Path, here: Checkout) -> SignedDocument[ErasureCertificate]:
    """Verify a certificate from a file with the keys in people.yaml.

    Raises:
        Refused: The file is no certificate of this environment with a valid signature of somebody who may decide.
        InputError: The file cannot be read.
    """
    signed = verify_envelope(dsse.read_envelope(path), CERTIFICATE_KIND, here.governance)
    if signed.document.environment != here.governance.policy.environment:
        raise Refused(f"{path}: the certificate is of environment {signed.document.environment}")
    parties = cases.certificate_parties(signed.document)
    cases.require_certifier(signed, parties, here.ledger, here.governance)
    return signed


def recall(here: Checkout, path: Path) -> Recalled:
    """Bring a certificate into a ledger that lacks it, and look for the person in the vault.

    Both are lost where a backup is restored that is older than the erasure. The suppression is in force again at once.

    Raises:
        Refused: The certificate is not valid.
        InputError: The file cannot be read.
    """
    with hold_lock(here.state):
        return _recall(here, verify_certificate(path, here))


def _recall(here: Checkout, signed: SignedDocument[ErasureCertificate]) -> Recalled:
    said = signed.document
    with here.ledger.transaction():
        known = [dsse.envelope_digest(entry.body["envelope"]) for entry in here.ledger.entries(CERTIFIED, said.erasure)]
        if signed.sha256 not in known:
            here.ledger.append(CERTIFIED, said.erasure, {"envelope": signed.envelope})
    wanted = set(said.suppressed)
    tokens = [
        token
        for world in subject.worlds(here.state)
        for token in open_vault(world).tokens()
        if person_digest(token) in wanted
    ]
    if tokens:
        before = subject.find_sealed(here.state, said.erasure) or Subject(values=[], tokens=[], records=[])
        certified = {
            "tokens": sorted({*before.tokens, *tokens}),
            "datasets": sorted({*before.datasets, *said.datasets}),
            "releases": before.releases | {each.release: each.dataset for each in said.releases},
        }
        plan = plans.make_plan(here, before.model_copy(update=certified))
        subject.seal(here.state, said.erasure, plan.subject)
    return Recalled(said.erasure, len(tokens))


def _require_not_back(here: Checkout, case: ErasureCase) -> None:
    """Verify that what the certificate says is still so. Otherwise the vault must not forget whom it is about.

    Raises:
        Refused: A backup brought the person back.
    """
    if is_back(here, case):
        raise Refused(
            f"erasure {case.id} was certified, and the vault has the person again, as after a restored backup: "
            f"hallmark erase recall CERTIFICATE, then: hallmark erase execute {case.id}"
        )


def is_back(here: Checkout, case: ErasureCase) -> bool:
    """Return whether the vault has a token of a person that it had lost by a certified erasure.

    This is so after a restored backup. A vault that was decided to be kept has the tokens all along.
    """
    outcomes = case.certificate.document.outcomes if case.certificate else []
    if any(each.kind == "vault" and each.verb != DELETE for each in outcomes):
        return False
    wanted = set(case.suppressed)
    return any(
        person_digest(token) in wanted for world in subject.worlds(here.state) for token in open_vault(world).tokens()
    )
