"""Certificate of an erasure, signed after a search of all files. It is recalled after an older backup was restored."""

from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.errors import InputError, Refused
from tasks.erase import plan as plans
from tasks.erase import subject, verification
from tasks.erase.execution import LEFTOVERS_STEP, Ruling, require_rulings
from tasks.erase.plan import ErasurePlan
from tasks.erase.subject import Subject
from tasks.erase.verification import SearchResult
from tasks.policy import signed_entry
from tasks.policy.signed_document import SignedDocument, verify_envelope
from tasks.policy.signed_entry import Draft
from tasks.runs.checkout import Checkout
from tasks.sources.suppression_digests import person_digest
from tasks.sources.vault import open_vault
from tasks.suppression import cases
from tasks.suppression.cases import ErasureCase
from tasks.suppression.place_kinds import DELETE, Kind
from tasks.suppression.signed_documents import (
    CERTIFICATE_KIND,
    CERTIFIED,
    ErasureCertificate,
    KindOutcome,
    ReleaseOutcome,
)
from tasks.trust import dsse


class Recalled(NamedTuple):
    erasure: str
    tokens: int
    """Number of the person's tokens that the vault has again."""


def certify(here: Checkout, erasure: str, person_id: str) -> dict[str, Any]:
    """Search all files, sign and record the certificate, and return its envelope.

    The vault's document about the person is removed. A repeated call returns the recorded envelope.

    Raises:
        Refused: The erasure was not executed, or something is left that nobody decided to keep.
        InputError: There is no such erasure, or the vault does not know the person any more.
    """
    ledger, governance = here.ledger, here.governance
    case = cases.get_case(ledger, governance, erasure)
    if case.certificate:
        subject.forget(here.state, erasure)
        return case.certificate.envelope
    person = governance.require_actor(person_id, ledger.now())
    if LEFTOVERS_STEP not in case.steps:
        raise Refused(f"erasure {erasure} was not carried out to its end: hallmark erase execute {erasure}")
    known = subject.unseal(here.state, erasure)
    plan = plans.make_plan(here, known)
    rulings, found = require_rulings(case, plan), verification.search_all(here, known)
    _require_nothing_left(erasure, rulings, found)

    def draft() -> list[Draft]:
        said = _certificate(here, case, plan, rulings, found, person.id)
        return [Draft(CERTIFIED, erasure, CERTIFICATE_KIND.statement(said))]

    entry = signed_entry.sign_and_record(ledger, governance, person, draft)
    subject.forget(here.state, erasure)
    envelope: dict[str, Any] = entry.body["envelope"]
    return envelope


def verify_certificate(path: Path, here: Checkout) -> SignedDocument[ErasureCertificate]:
    """Verify a certificate from a file with the keys in people.yaml.

    Raises:
        Refused: The file is no certificate of this environment with a valid signature.
        InputError: The file cannot be read.
    """
    signed = verify_envelope(dsse.read_envelope(path), CERTIFICATE_KIND, here.governance)
    if signed.document.environment != here.governance.policy.environment:
        raise Refused(f"{path}: the certificate is of environment {signed.document.environment}")
    return signed


def recall(here: Checkout, path: Path) -> Recalled:
    """Bring a certificate into a ledger that lacks it, and look for the person in the vault.

    Both are lost where a backup is restored that is older than the erasure. The suppression is in force again at once.

    Raises:
        Refused: The certificate is not valid.
        InputError: The file cannot be read.
    """
    signed = verify_certificate(path, here)
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
        before = subject.find_sealed(here.state, said.erasure)
        values = before.values if before else []
        plan = plans.make_plan(here, Subject(values=values, tokens=tokens, records=before.records if before else []))
        subject.seal(here.state, said.erasure, plan.subject)
    return Recalled(said.erasure, len(tokens))


def _require_nothing_left(erasure: str, rulings: dict[Kind, Ruling], found: SearchResult) -> None:
    kept = [kind for kind, ruling in rulings.items() if ruling.verb != DELETE]
    if left := verification.undecided(found.places, kept):
        named = "; ".join(f"{place.kind} {place.path} ({', '.join(place.what)})" for place in left[:5])
        raise Refused(
            f"{len(left):,} places still have something of the person that nobody decided to keep: {named}. Remove "
            f"them, or have it decided that they are kept, then: hallmark erase execute {erasure}"
        )


def _certificate(
    here: Checkout, case: ErasureCase, plan: ErasurePlan, rulings: dict[Kind, Ruling], found: SearchResult, person: str
) -> ErasureCertificate:
    if case.request is None:
        raise InputError(f"erasure {case.id} has no request in this ledger")
    request, kinds = case.request.document, [place.kind for place in found.places]
    marked = rulings.get("releases")
    return ErasureCertificate(
        erasure=case.id,
        request=case.request.sha256,
        environment=here.governance.policy.environment,
        person=person,
        basis=request.basis,
        requested_at=request.time,
        deadline=request.deadline,
        outcomes=[
            KindOutcome(
                kind=kind,
                verb=ruling.verb,
                reason=ruling.reason,
                until=ruling.until,
                decided_by=ruling.decided_by,
                removed=plan.subject.planned.get(kind, 0) if ruling.verb == DELETE else 0,
                remaining=kinds.count(kind),
            )
            for kind, ruling in rulings.items()
        ],
        releases=[
            ReleaseOutcome(release=label, verb=marked.verb, until=marked.until, dataset=dataset)
            for label, dataset in sorted(plan.releases.items())
            if marked
        ],
        datasets=plan.subject.datasets,
        suppressed=request.suppressed,
        searched_files=found.files,
        searched_bytes=found.bytes,
        not_searched=found.not_searched,
        time=here.ledger.now(),
    )


def is_back(here: Checkout, case: ErasureCase) -> bool:
    """Return whether the vault has a token of a person whose erasure was certified, as after a restored backup."""
    wanted = set(case.suppressed)
    return any(
        person_digest(token) in wanted for world in subject.worlds(here.state) for token in open_vault(world).tokens()
    )
