"""Signed run requests and their ledger entries, which alone prove who requested a run.

People sign with their own keys. A run that a schedule or Prefect's form requests has no person's signature: the
installation signs the request as `scheduler`, and the run is nobody's own.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol

from pydantic import Field

from tasks.core.config import MOST_REASON
from tasks.core.errors import HallmarkError, Refused
from tasks.core.files import canonical_json, sha256_bytes
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import SCHEDULER
from tasks.policy.read_signed import Dated, Kind, Signers, read_envelope
from tasks.trust import dsse
from tasks.trust.keys import Signer
from tasks.trust.validity import AHEAD

KIND = "run.requested"
"""Kind of the ledger entry; its subject is the run's id."""
PREDICATE_TYPE = "urn:hallmark:run-request:v1"
FRESH = timedelta(days=7)
"""Maximum age of a request when its run begins. A run that has begun may take as long as it needs."""

RUN_ID = r"^[a-z0-9][a-z0-9-]{0,62}$"
RunId = Annotated[str, Field(pattern=RUN_ID)]


class Asked(Protocol):
    @property
    def requested_by(self) -> str: ...
    @property
    def initiated_by(self) -> list[str]: ...


class WithAskers:
    """Base of documents that say who requests a run: the request, and evidence of a gate."""

    @property
    def askers(self: Asked) -> set[str]:
        """Ids of everybody whose run it is: the requester, and those who declared the schedule or trigger."""
        return {self.requested_by, *self.initiated_by}


class Request(Dated, WithAskers):
    """Predicate of a request's in-toto statement, whose subject is the run, with the digest of what is requested."""

    run_id: RunId
    requested_by: Name
    """Id of a person in people.yaml, or `scheduler`."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    tree_sha256: Sha256
    """Digest of all files of the commit (`tasks.runs.tree`), since the commit's own name is a SHA-1 in most
    repositories."""
    params: str
    params_sha256: Sha256 | None
    """Digest of the params file if the commit does not hold it; null if it does, since the commit pins it then."""
    governance: str | None
    changes: dict[str, str]
    demo_approvals: bool
    reason: Annotated[str, Field(max_length=MOST_REASON)] | None = None
    """Reason for the run: the schedule and its time, the event that a trigger answers, or a person's words."""
    initiated_by: list[Name] = []
    """Ids of the people who signed the run's schedule or trigger, who count as requesters too; empty if the run has
    none, or was requested by a version that did not record them."""
    environment: Name | None = None
    """Environment in which the request counts; null for a request of a version that did not record it, which is no
    longer accepted."""
    time: datetime
    """The ledger's time when the request was signed."""

    def digest(self) -> str:
        """Return the SHA-256 of everything but the time of the request."""
        return sha256_bytes(canonical_json({key: value for key, value in self.said.items() if key != "time"}))


REQUEST = Kind(
    PREDICATE_TYPE, Request, "a request for a run", by=lambda request: request.requested_by, machines=(SCHEDULER,)
)


@dataclass(frozen=True)
class SignedRequest:
    """Verified run request; the key of its signer counted at `at`."""

    request: Request
    envelope: dict[str, Any]
    public_key: str
    at: datetime
    """Time as of which the requester must be allowed to request runs: the later of the request's own time and its
    entry's, so that backdating gains nothing."""

    @property
    def sha256(self) -> str:
        """`dsse.digest` of the envelope, by which evidence refers to it."""
        return dsse.digest(self.envelope)


def sign(request: Request, signer: Signer) -> dict[str, Any]:
    subject = {f"run/{request.run_id}": request.digest()}
    return dsse.sign(dsse.statement(PREDICATE_TYPE, subject, request.said), signer)


def read(envelope: dict[str, Any], signers: Signers, recorded: datetime | None = None) -> SignedRequest:
    """Verify an envelope and return its request. `recorded` is the time of its entry; None if it has none.

    Raises:
        Refused: The signature does not count, or the statement is about another run.
    """
    signed = read_envelope(envelope, REQUEST, signers, recorded)
    request, known = signed.said, signers.keys_of(signed.person or SCHEDULER)
    if signed.subjects != {f"run/{request.run_id}": request.digest()}:
        raise Refused("the statement's subject is not the run that it asks for")
    line = next(key.public_key for key in known if key.fingerprint == signed.keyid)
    return SignedRequest(request, envelope, line, signed.at)


def record(ledger: Ledger, governance: Governance, envelope: dict[str, Any]) -> SignedRequest:
    """Record a request, once for each run, and return it as recorded. Repeating the call has no effect.

    Raises:
        Refused: The request does not verify, is too old, is for another environment, or the run has another request.
    """
    signed = read(envelope, governance, ledger.now())
    with ledger.transaction():
        known = recorded(ledger, governance, signed.request.run_id)
        if known is not None:
            if known.sha256 != signed.sha256:
                raise Refused(f"run {known.request.run_id} was asked for already, by {known.request.requested_by}")
            return known
        _fresh(signed.request, ledger.now())
        if signed.request.environment != (here := governance.policy.environment):
            raise Refused(
                f"the request for run {signed.request.run_id} was signed for environment "
                f"{signed.request.environment or 'none'}, and this is {here}; ask here"
            )
        entry = ledger.append(KIND, signed.request.run_id, {"envelope": envelope})
    return replace(signed, at=max(signed.request.time, entry.time))


def recorded(ledger: Ledger, governance: Governance, run: str) -> SignedRequest | None:
    """Return the run's first request in the ledger whose signature counts; None if there is none.

    Later entries about the run do not replace it.
    """
    for entry in ledger.entries(KIND, run):
        envelope = entry.body.get("envelope")
        try:
            signed = read(envelope, governance, entry.time) if isinstance(envelope, dict) else None
        except HallmarkError:
            continue
        if signed is not None and signed.request.run_id == run:
            return signed
    return None


def require(ledger: Ledger, governance: Governance, run: str) -> SignedRequest:
    """Return what `recorded` returns.

    Raises:
        Refused: The ledger has no valid request for the run.
    """
    asked = recorded(ledger, governance, run)
    if asked is None:
        raise Refused(f"the ledger holds no request for run {run} that verifies, so nobody can have asked for it")
    return asked


def named_governance(ledger: Ledger, run: str) -> str | None:
    """Return the governance folder that a run's request names, unverified, for messages about other rules."""
    for entry in ledger.entries(KIND, run):
        try:
            return REQUEST.said(entry.body["envelope"]).governance
        except (HallmarkError, KeyError, TypeError):
            continue
    return None


def _fresh(request: Request, now: datetime) -> None:
    if now - request.time > FRESH:
        raise Refused(
            f"the request for run {request.run_id} was signed on {request.time:%Y-%m-%d %H:%M} UTC, and counts for "
            f"{FRESH.days} days; ask anew"
        )
    if request.time - now > AHEAD:
        raise Refused(
            f"the request for run {request.run_id} says that it was signed on {request.time:%Y-%m-%d %H:%M} UTC, and "
            f"by the ledger it is {now:%Y-%m-%d %H:%M}; set the clock right and ask anew"
        )
