"""Asking for a run: a person signs on their own machine, and the run takes nothing that was not signed.

A flow run's parameters can be written by whoever reaches Prefect, so they count only where a signed request says the
same. The scheduler, which is no person, signs with its own key too. In environment `local` alone the installation signs
as `scheduler` what nobody signed, so that a schedule of Prefect's can start a run.
"""

from datetime import datetime
from typing import Any

from tasks.core import files
from tasks.core.errors import InputError, Refused
from tasks.gates import signed_request
from tasks.gates.signed_request import Request, SignedRequest
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import SCHEDULER
from tasks.runs import tree
from tasks.runs.repository import Repository
from tasks.runs.request import RunRequest
from tasks.trust import dsse

Envelope = dict[str, Any]


def sign(checkout: Repository, ledger: Ledger, governance: Governance, request: RunRequest) -> Envelope:
    """The request, signed with the key of the person who asks, or the scheduler's.

    Raises InputError or Refused as `Governance.signer`.
    """
    now, who = ledger.now(), request.requested_by
    signer = governance.signer(SCHEDULER if who == SCHEDULER else governance.actor(who, now), now)
    return signed_request.sign(complete(checkout, request, governance, now), signer)


def complete(checkout: Repository, request: RunRequest, governance: Governance, time: datetime) -> Request:
    """The request with everything in it that decides what will run: its commit, the digest of all that it holds, and
    that of a params file that it does not hold. Raises InputError for a commit that no run is made of."""
    commit = checkout.commit_of(request.commit or "HEAD")
    tree_sha256 = tree.read(checkout, commit).sha256
    params_sha256 = None if checkout.holds(commit, request.params) else _digest(checkout, request.params)
    said = {
        "commit": commit, "tree_sha256": tree_sha256, "params_sha256": params_sha256,
        "environment": governance.policy.environment, "time": time,
    }  # fmt: skip
    return Request.model_validate(request.model_dump() | said)


def take(
    checkout: Repository, ledger: Ledger, governance: Governance, request: RunRequest, envelope: Envelope | None
) -> SignedRequest:
    """Verify that `request` is what was signed and put that on the ledger; what is on it already stays.

    Raises Refused where nobody signed it, or something else.
    """
    known = signed_request.recorded(ledger, governance, request.named)
    if known is None and envelope is None:
        _require_scheduler(request)
        if not governance.local:
            raise Refused(
                f"run {request.named} is asked for and nobody signed that: whoever reaches Prefect could ask as the "
                f"scheduler, which counts in environment local alone; have the scheduler's key sign: hallmark run --as "
                f"{SCHEDULER}"
            )
        time = ledger.now()
        envelope = signed_request.sign(
            complete(checkout, request, governance, time), governance.signer(SCHEDULER, time)
        )
    signed = known or signed_request.read(envelope or {}, governance)
    require_same(signed, request, envelope)
    return known or signed_request.record(ledger, governance, signed.envelope)


def require_same(signed: SignedRequest, request: RunRequest, envelope: Envelope | None) -> None:
    """Raises Refused where a flow run asks for a run otherwise than was signed for it."""
    if envelope is None:
        _require_scheduler(request)
    elif dsse.digest(envelope) != signed.sha256:
        raise Refused(f"run {request.named} was asked for already, by {signed.request.requested_by}, and not with this")
    asked = RunRequest.of(signed.request)
    # The scheduler names no commit; what HEAD was then was written into what it signed.
    given = request if request.commit else request.model_copy(update={"commit": asked.commit})
    if differ := [name for name in RunRequest.model_fields if getattr(given, name) != getattr(asked, name)]:
        raise Refused(
            f"run {request.named} is asked for with other {', '.join(differ)} than {asked.requested_by} signed; "
            f"ask anew with `hallmark run --as ID`"
        )


def _require_scheduler(request: RunRequest) -> None:
    if request.requested_by != SCHEDULER:
        raise Refused(
            f"run {request.named} is asked for in the name of {request.requested_by}, and no request that they signed "
            f"is with it; use `hallmark run --as {request.requested_by}`, or leave requested_by out: the scheduler asks"
        )


def _digest(checkout: Repository, params: str) -> str:
    try:
        return files.sha256_file(checkout.root / params)
    except OSError as error:
        raise InputError(f"{params}: cannot be read ({error.strerror}); give the path of a params file") from None
