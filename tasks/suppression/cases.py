"""Erasures as the ledger has them: request, decisions, steps and certificate.

Documents that cannot be verified are left out, except for suppression (`in_force.py`). So are decisions and
certificates of people who may not decide, and decisions that are not possible about their kind.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from tasks.core.errors import HallmarkError, InputError
from tasks.core.params.values import Sha256
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.signed_document import SignedDocument, SignedKind, verify_entry
from tasks.suppression import deciders
from tasks.suppression.deciders import Parties
from tasks.suppression.place_kinds import KINDS, Kind
from tasks.suppression.signed_documents import (
    CERTIFICATE_KIND,
    CERTIFIED,
    DECIDED,
    DECISION_KIND,
    REQUEST_KIND,
    REQUESTED,
    STEP,
    ErasureCertificate,
    ErasureDecision,
    ErasureRequest,
)

ErasureModel = TypeVar("ErasureModel", ErasureRequest, ErasureDecision, ErasureCertificate)


@dataclass(frozen=True)
class ErasureCase:
    id: str
    request: SignedDocument[ErasureRequest] | None
    """Request; None if the ledger only has the certificate, because an older backup was restored."""
    decisions: dict[Kind, ErasureDecision]
    """Last valid decision about each kind."""
    last_decided: int
    """Sequence number of the last valid decision's ledger entry; 0 if there is none."""
    steps: dict[str, Entry]
    """Last ledger entry of each step, by name of the step."""
    certificate: SignedDocument[ErasureCertificate] | None

    @property
    def request_sha256(self) -> Sha256:
        """Digest of the request's envelope, also if the ledger only has the certificate."""
        if self.request:
            return self.request.sha256
        assert self.certificate is not None
        return self.certificate.document.request

    @property
    def parties(self) -> Parties:
        if self.request:
            return Parties(self.request.document.person, self.request.document.sources)
        assert self.certificate is not None
        return certificate_parties(self.certificate.document)

    @property
    def suppressed(self) -> list[str]:
        if self.request:
            return self.request.document.suppressed
        return self.certificate.document.suppressed if self.certificate else []

    @property
    def deadline(self) -> date:
        signed = self.request or self.certificate
        assert signed is not None
        return signed.document.deadline

    @property
    def state(self) -> str:
        if self.certificate:
            return "certified"
        if self.steps:
            return "executing"
        return "decided in part" if self.decisions else "requested"


def read_cases(ledger: Ledger, governance: Governance) -> list[ErasureCase]:
    """Return all erasures of this environment, oldest first."""
    with ledger.reading():
        ids = dict.fromkeys(entry.subject for kind in (REQUESTED, CERTIFIED) for entry in ledger.entries(kind))
        found = [_read_case(ledger, governance, each) for each in ids]
    return [case for case in found if case.request or case.certificate]


def get_case(ledger: Ledger, governance: Governance, erasure: str) -> ErasureCase:
    """Return an erasure.

    Raises:
        InputError: There is no such erasure.
    """
    case = _read_case(ledger, governance, erasure)
    if not (case.request or case.certificate):
        known = ", ".join(each.id for each in read_cases(ledger, governance)) or "none"
        raise InputError(f"there is no erasure {erasure!r} here; known: {known}")
    return case


def certificate_parties(said: ErasureCertificate) -> Parties:
    return Parties(said.requested_by, said.sources)


def require_certifier(
    signed: SignedDocument[ErasureCertificate], parties: Parties, ledger: Ledger, governance: Governance
) -> None:
    """Verify that a certificate was signed by somebody who may decide on the erasure.

    Raises:
        Refused: The person requested the erasure, or has no right to decide.
    """
    assert signed.person is not None
    deciders.require_may_decide(signed.person, parties, ledger, governance, signed.effective_at)


def _read_case(ledger: Ledger, governance: Governance, erasure: str) -> ErasureCase:
    requests = _verified(ledger.entries(REQUESTED, erasure), REQUEST_KIND, governance, erasure)
    request = next((signed for _, signed in requests), None)
    certificate = _find_certificate(ledger, governance, erasure, request)
    empty = ErasureCase(erasure, request, {}, 0, {}, certificate)
    if not (request or certificate):
        return empty
    decided = list(_valid_decisions(ledger, governance, empty))
    return ErasureCase(
        erasure,
        request,
        {said.kind: said for _, said in decided},
        max((entry.seq for entry, _ in decided), default=0),
        {str(entry.body.get("step")): entry for entry in ledger.entries(STEP, erasure)},
        certificate,
    )


def _find_certificate(
    ledger: Ledger, governance: Governance, erasure: str, request: SignedDocument[ErasureRequest] | None
) -> SignedDocument[ErasureCertificate] | None:
    entries = ledger.entries(CERTIFIED, erasure)
    for _, signed in _verified(entries, CERTIFICATE_KIND, governance, erasure):
        if request is None or signed.document.request == request.sha256:
            said = request.document if request else None
            parties = Parties(said.person, said.sources) if said else certificate_parties(signed.document)
            with suppress(HallmarkError):
                require_certifier(signed, parties, ledger, governance)
                return signed
    return None


def _valid_decisions(
    ledger: Ledger, governance: Governance, case: ErasureCase
) -> Iterator[tuple[Entry, ErasureDecision]]:
    for entry, signed in _verified(ledger.entries(DECIDED, case.id), DECISION_KIND, governance, case.id):
        said = signed.document
        if said.request == case.request_sha256 and signed.person and KINDS[said.kind].allows(said.verb, said.until):
            with suppress(HallmarkError):
                deciders.require_may_decide(signed.person, case.parties, ledger, governance, signed.effective_at)
                yield entry, said


def _verified(
    entries: list[Entry], kind: SignedKind[ErasureModel], governance: Governance, erasure: str
) -> Iterator[tuple[Entry, SignedDocument[ErasureModel]]]:
    """Yield the entries that can be verified. A document that is appended again counts once, in its first place."""
    seen = set[str]()
    for entry in entries:
        with suppress(HallmarkError):
            signed = verify_entry(entry, kind, governance)
            said = signed.document
            is_ours = (said.erasure, said.environment) == (erasure, governance.policy.environment)
            if is_ours and signed.sha256 not in seen:
                seen.add(signed.sha256)
                yield entry, signed
