"""Erasures as the ledger has them: request, decisions, steps and certificate.

Documents that cannot be verified are left out, except for suppression (`in_force.py`).
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from tasks.core.errors import HallmarkError, InputError
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.signed_document import SignedDocument, SignedKind, verify_entry
from tasks.suppression.place_kinds import Kind
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
    steps: dict[str, Entry]
    """Last ledger entry of each step, by name of the step."""
    certificate: SignedDocument[ErasureCertificate] | None

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


def _read_case(ledger: Ledger, governance: Governance, erasure: str) -> ErasureCase:
    requests = _verified(ledger.entries(REQUESTED, erasure), REQUEST_KIND, governance, erasure)
    certificates = _verified(ledger.entries(CERTIFIED, erasure), CERTIFICATE_KIND, governance, erasure)
    request = next(requests, None)
    decisions: dict[Kind, ErasureDecision] = {}
    for signed in _verified(ledger.entries(DECIDED, erasure), DECISION_KIND, governance, erasure):
        if request is None or signed.document.request == request.sha256:
            decisions[signed.document.kind] = signed.document
    steps = {str(entry.body.get("step")): entry for entry in ledger.entries(STEP, erasure)}
    return ErasureCase(erasure, request, decisions, steps, next(certificates, None))


def _verified(
    entries: list[Entry], kind: SignedKind[ErasureModel], governance: Governance, erasure: str
) -> Iterator[SignedDocument[ErasureModel]]:
    for entry in entries:
        with suppress(HallmarkError):
            signed = verify_entry(entry, kind, governance)
            said = signed.document
            if (said.erasure, said.environment) == (erasure, governance.policy.environment):
                yield signed
