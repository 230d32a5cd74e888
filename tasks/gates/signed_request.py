"""Signed run requests and their ledger entries, the only proof of who requested a run.

People sign with their own keys. If a schedule or Prefect's form requests a run, no person signs: the installation signs
the request as `scheduler`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol

from pydantic import Field

from tasks.core.documents.config import MAX_REASON_CHARS
from tasks.core.errors import HallmarkError, Refused
from tasks.core.files import sha256_bytes
from tasks.core.formatting import format_time
from tasks.core.json_text import canonical_json
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.signed_document import DatedDocument, KeyDirectory, SignedKind, verify_envelope
from tasks.policy.tier import SCHEDULER
from tasks.trust import dsse
from tasks.trust.keys import Signer
from tasks.trust.validity import CLOCK_TOLERANCE

ENTRY_KIND = "run.requested"
"""Kind of the ledger entries that hold run requests. The subject of an entry is the run's id."""
PREDICATE_TYPE = "urn:hallmark:run-request:v1"
MAX_AGE = timedelta(days=7)
"""Maximum age of a request when its run starts. Runs that have already started are not affected."""

RUN_ID = r"^[a-z0-9][a-z0-9-]{0,62}$"
RunId = Annotated[str, Field(pattern=RUN_ID)]


class HasRequesters(Protocol):
    @property
    def requested_by(self) -> str: ...
    @property
    def initiated_by(self) -> list[str]: ...


class RequestersMixin:
    """Base class of documents that name a run's requesters: run requests and gate evidence."""

    @property
    def requesters(self: HasRequesters) -> set[str]:
        """Ids of the person who requested the run and of the people who declared its schedule or trigger.

        None of them may decide on the run.
        """
        return {self.requested_by, *self.initiated_by}


class SignedRunRequest(DatedDocument, RequestersMixin):
    """Run request as a person signs it: the predicate of an in-toto statement.

    The statement's subject is the run, with the digest of the request.
    """

    run_id: RunId
    requested_by: Name
    """Id of the person in people.yaml who requests the run, or `scheduler`."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    tree_sha256: Sha256
    """SHA-256 of all files of the commit, computed by `tasks.runs.git.commit_tree`. The commit id is not enough,
    because it is a SHA-1 in most repositories."""
    params: str
    params_sha256: Sha256 | None
    """Digest of the params file. Null if the commit contains the file, because the commit then determines its
    content."""
    governance: str | None
    changes: dict[str, str]
    demo_approvals: bool
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS)] | None = None
    """Reason for the run: the schedule and its time, the event that fired a trigger, or the requester's own words."""
    initiated_by: list[Name] = []
    """Ids of the people who signed the run's schedule or trigger. They count as requesters too. Empty if the run has
    neither schedule nor trigger, or if the request comes from a Hallmark version that did not record these people."""
    environment: Name | None = None
    """Environment in which the request is valid; null in requests from old Hallmark versions, which are no longer
    accepted."""
    time: datetime
    """Time of signing, by the ledger's clock."""

    def digest(self) -> str:
        return sha256_bytes(canonical_json({key: value for key, value in self.json_value.items() if key != "time"}))


REQUEST_KIND = SignedKind(
    PREDICATE_TYPE,
    SignedRunRequest,
    "a request for a run",
    signer_of=lambda request: request.requested_by,
    machines=(SCHEDULER,),
)


@dataclass(frozen=True)
class RecordedRunRequest:
    """Verified run request. Its key was valid at `effective_at`."""

    request: SignedRunRequest
    envelope: dict[str, Any]
    public_key: str
    effective_at: datetime
    """Time at which the requester must have had permission to request runs.

    This is the later of the time in the request and the time of its ledger entry, so backdating has no effect.
    """

    @property
    def sha256(self) -> str:
        return dsse.envelope_digest(self.envelope)


def sign_request(request: SignedRunRequest, signer: Signer) -> dict[str, Any]:
    subject = {f"run/{request.run_id}": request.digest()}
    return dsse.sign_statement(dsse.make_statement(PREDICATE_TYPE, subject, request.json_value), signer)


def verify_request(
    envelope: dict[str, Any], signers: KeyDirectory, recorded_at: datetime | None = None
) -> RecordedRunRequest:
    """Verify an envelope and return its request.

    Args:
        envelope: Envelope to verify.
        signers: Keys of people and machines.
        recorded_at: Time of the ledger entry that holds the envelope; None if there is no entry.

    Raises:
        Refused: The signature is not valid, or the statement is about another run.
    """
    signed = verify_envelope(envelope, REQUEST_KIND, signers, recorded_at)
    request, known = signed.document, signers.keys_of(signed.person or SCHEDULER)
    if signed.subjects != {f"run/{request.run_id}": request.digest()}:
        raise Refused("the statement's subject is not the run that it asks for")
    line = next(key.public_key for key in known if key.fingerprint == signed.keyid)
    return RecordedRunRequest(request, envelope, line, signed.effective_at)


def record_request(
    ledger: Ledger, governance: Governance, envelope: dict[str, Any], admit: Callable[[], dict[str, Any]] = dict
) -> RecordedRunRequest:
    """Record a run request in the ledger and return it. Repeating the call has no effect.

    Args:
        ledger: Ledger in which the request is recorded.
        governance: Governance under which the request is verified.
        envelope: Signed request.
        admit: Function that returns further fields of the entry. It is called in the transaction that records a new
            request, and raises an error if the run may not begin now.

    Raises:
        Refused: The request cannot be verified, is too old or is for another environment, or the run already has a
            different request.
    """
    signed = verify_request(envelope, governance, ledger.now())
    with ledger.transaction():
        known = request_for_run(ledger, governance, signed.request.run_id)
        if known is not None:
            if known.sha256 != signed.sha256:
                raise Refused(f"run {known.request.run_id} was asked for already, by {known.request.requested_by}")
            return known
        _require_fresh(signed.request, ledger.now())
        if signed.request.environment != (here := governance.policy.environment):
            raise Refused(
                f"the request for run {signed.request.run_id} was signed for environment "
                f"{signed.request.environment or 'none'}, and this is {here}; ask here"
            )
        entry = ledger.append(ENTRY_KIND, signed.request.run_id, {"envelope": envelope} | admit())
    return replace(signed, effective_at=max(signed.request.time, entry.time))


def request_for_run(ledger: Ledger, governance: Governance, run: str) -> RecordedRunRequest | None:
    """Return the first request for a run in the ledger that has a valid signature; None if there is none.

    Later entries about the run do not replace the first valid one.
    """
    for entry in ledger.entries(ENTRY_KIND, run):
        envelope = entry.body.get("envelope")
        try:
            signed = (
                verify_request(envelope, governance, governance.recorded_at(entry))
                if isinstance(envelope, dict)
                else None
            )
        except HallmarkError:
            continue
        if signed is not None and signed.request.run_id == run:
            return signed
    return None


def require_request(ledger: Ledger, governance: Governance, run: str) -> RecordedRunRequest:
    """Return the run's recorded request.

    Raises:
        Refused: The ledger has no valid request for the run.
    """
    asked = request_for_run(ledger, governance, run)
    if asked is None:
        raise Refused(f"the ledger holds no request for run {run} that verifies, so nobody can have asked for it")
    return asked


def requested_governance(ledger: Ledger, run: str) -> str | None:
    for entry in ledger.entries(ENTRY_KIND, run):
        try:
            return REQUEST_KIND.unverified_document(entry.body["envelope"]).governance
        except (HallmarkError, KeyError, TypeError):
            continue
    return None


def _require_fresh(request: SignedRunRequest, now: datetime) -> None:
    if now - request.time > MAX_AGE:
        raise Refused(
            f"the request for run {request.run_id} was signed on {format_time(request.time)}, and counts for "
            f"{MAX_AGE.days} days; ask anew"
        )
    if request.time - now > CLOCK_TOLERANCE:
        raise Refused(
            f"the request for run {request.run_id} says that it was signed on {format_time(request.time)}, and "
            f"by the ledger it is {now:%Y-%m-%d %H:%M}; set the clock right and ask anew"
        )
