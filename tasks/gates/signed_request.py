"""A request for a run, as whoever asks signs it and as the ledger keeps it. Who asked for a run is proven by it alone.

People sign with their own key. A run that a schedule or Prefect's form asks for carries no person's signature: the
installation signs it as `scheduler`, and it is nobody's.
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
"""How long after it was signed a request may begin a run; one that began goes on however long it takes."""

RUN_ID = r"^[a-z0-9][a-z0-9-]{0,62}$"
RunId = Annotated[str, Field(pattern=RUN_ID)]


class Asked(Protocol):
    @property
    def requested_by(self) -> str: ...
    @property
    def initiated_by(self) -> list[str]: ...


class WithAskers:
    """What says who asks for a run: a request, or the evidence of a gate."""

    @property
    def askers(self: Asked) -> set[str]:
        """All whose run it is: who signed, and who declared the schedule or trigger."""
        return {self.requested_by, *self.initiated_by}


class Request(Dated, WithAskers):
    """The predicate of a request's in-toto statement; its subject is the run, by the digest of what is asked."""

    run_id: RunId
    requested_by: Name
    """Person in people.yaml, or `scheduler`."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    tree_sha256: Sha256
    """Of all that the commit holds (`tasks.runs.tree`): the commit's own name is a SHA-1 in most repositories."""
    params: str
    params_sha256: Sha256 | None
    """Of the params file, where the commit does not hold it; null where it does, and so pins it."""
    governance: str | None
    changes: dict[str, str]
    demo_approvals: bool
    reason: Annotated[str, Field(max_length=MOST_REASON)] | None = None
    """Why it is asked for: the schedule and its time, what a trigger answers to, or a person's words."""
    initiated_by: list[Name] = []
    """Who signed the schedule or trigger that the run is of: they ask for it as much as who signs. None where a version
    asked that did not say."""
    environment: Name | None = None
    """Where it counts; null where a version asked that did not say, whose requests are not recorded any more."""
    time: datetime
    """The ledger's time when it was signed."""

    def digest(self) -> str:
        """SHA-256 of what is asked, whenever it was."""
        return sha256_bytes(canonical_json({key: value for key, value in self.said.items() if key != "time"}))


REQUEST = Kind(
    PREDICATE_TYPE, Request, "a request for a run", by=lambda request: request.requested_by, machines=(SCHEDULER,)
)


@dataclass(frozen=True)
class SignedRequest:
    """A request whose envelope verified against a key of whom it names that counted then."""

    request: Request
    envelope: dict[str, Any]
    public_key: str
    """The public key line that it verified with."""
    at: datetime
    """As of when whoever asked may ask: of its own time or that of its record the later. A time moved back by its
    signer gains nothing."""

    @property
    def sha256(self) -> str:
        """`dsse.digest` of the envelope, by which evidence names it."""
        return dsse.digest(self.envelope)


def sign(request: Request, signer: Signer) -> dict[str, Any]:
    subject = {f"run/{request.run_id}": request.digest()}
    return dsse.sign(dsse.statement(PREDICATE_TYPE, subject, request.said), signer)


def read(envelope: dict[str, Any], signers: Signers, recorded: datetime | None = None) -> SignedRequest:
    """Verify an envelope against the keys of whom it names. Raises Refused."""
    signed = read_envelope(envelope, REQUEST, signers, recorded)
    request, known = signed.said, signers.keys_of(signed.person or SCHEDULER)
    if signed.subjects != {f"run/{request.run_id}": request.digest()}:
        raise Refused("the statement's subject is not the run that it asks for")
    line = next(key.public_key for key in known if key.fingerprint == signed.keyid)
    return SignedRequest(request, envelope, line, signed.at)


def record(ledger: Ledger, governance: Governance, envelope: dict[str, Any]) -> SignedRequest:
    """Put a request on the ledger, once for each run. The same again is the one on record.

    Raises Refused for one that does not verify, is stale, or asks for a run that was asked for otherwise.
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
    """The request for a run: the first in the ledger whose signature holds, since nobody can take it back later."""
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
    """As `recorded`; raises Refused where there is none."""
    asked = recorded(ledger, governance, run)
    if asked is None:
        raise Refused(f"the ledger holds no request for run {run} that verifies, so nobody can have asked for it")
    return asked


def named_governance(ledger: Ledger, run: str) -> str | None:
    """The other governance files that requests for a run name, verified or not: only to tell whose rules it is not."""
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
