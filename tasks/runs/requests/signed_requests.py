"""Signed run requests: people sign on their own machine, and a run uses nothing that was not signed.

Anyone with access to Prefect can write the parameters of a flow run, so the parameters are accepted only if a signed
request has the same values. The scheduler, which is not a person, signs with its own key. In environment `local` only,
the installation signs unsigned requests as `scheduler`, so that one of Prefect's own schedules can start a run.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tasks.core import files
from tasks.core.errors import InputError, Refused
from tasks.gates import signed_request
from tasks.gates.signed_request import RecordedRunRequest, SignedRunRequest
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.tier import SCHEDULER
from tasks.runs.git import commit_tree
from tasks.runs.git.repository import Repository
from tasks.runs.request import RunRequest
from tasks.trust import dsse

Envelope = dict[str, Any]


def sign_request(checkout: Repository, ledger: Ledger, governance: Governance, request: RunRequest) -> Envelope:
    """Complete a run request, and sign it with the key of the requester or of the scheduler.

    Raises:
        InputError: The requester is not in people.yaml, or their private key is not available.
        Refused: The requester is not allowed to act in this environment, or the key is not valid for the requester.
    """
    now, who = ledger.now(), request.requested_by
    signer = governance.find_signer(SCHEDULER if who == SCHEDULER else governance.require_actor(who, now), now)
    return signed_request.sign_request(complete_request(checkout, request, governance, now), signer)


def complete_request(
    checkout: Repository, request: RunRequest, governance: Governance, time: datetime
) -> SignedRunRequest:
    """Return the request with the commit, the digest of the commit's tree, and the digest of the params file.

    The digest of the params file is added only if the commit does not hold the file.

    Raises:
        InputError: The commit cannot be used for a run, or the params file cannot be read.
    """
    commit = checkout.commit_id(request.commit or "HEAD")
    tree_sha256 = commit_tree.read_tree(checkout, commit).sha256
    params_sha256 = None if checkout.has_file(commit, request.params) else _params_digest(checkout, request.params)
    said = {
        "commit": commit, "tree_sha256": tree_sha256, "params_sha256": params_sha256,
        "environment": governance.policy.environment, "time": time,
    }  # fmt: skip
    return SignedRunRequest.model_validate(request.model_dump() | said)


def verify_and_record_request(
    checkout: Repository, ledger: Ledger, governance: Governance, request: RunRequest, envelope: Envelope | None,
    admit: Callable[[], dict[str, Any]] = dict,
) -> RecordedRunRequest:  # fmt: skip
    """Verify that `request` matches the signed request, and record the signed request in the ledger if it is new.

    `admit` is called as in `signed_request.record_request`.

    Raises:
        Refused: The request was not signed, or the signed request differs.
    """
    known = signed_request.request_for_run(ledger, governance, request.required_run_id)
    if known is None and envelope is None:
        _require_scheduler(request)
        if not governance.is_local:
            raise Refused(
                f"run {request.required_run_id} is asked for and nobody signed that: whoever reaches Prefect could "
                "ask as the scheduler, which counts in environment local alone; have the scheduler's key sign: "
                f"hallmark run --as {SCHEDULER}"
            )
        time = ledger.now()
        envelope = signed_request.sign_request(
            complete_request(checkout, request, governance, time), governance.find_signer(SCHEDULER, time)
        )
    signed = known or signed_request.verify_request(envelope or {}, governance)
    require_matching_request(signed, request, envelope)
    return known or signed_request.record_request(ledger, governance, signed.envelope, admit)


def require_matching_request(recorded: RecordedRunRequest, request: RunRequest, envelope: Envelope | None) -> None:
    """Verify that a flow run requests exactly the run that was signed.

    Raises:
        Refused: The envelope or the parameters of the flow run differ from those that were signed.
    """
    if envelope is None:
        _require_scheduler(request)
    elif dsse.envelope_digest(envelope) != recorded.sha256:
        raise Refused(
            f"run {request.required_run_id} was asked for already, by {recorded.request.requested_by}, "
            "and not with this"
        )
    asked = RunRequest.from_signed(recorded.request)
    # A request of the scheduler names no commit; the signed one holds the HEAD of its time.
    given = request if request.commit else request.model_copy(update={"commit": asked.commit})
    if differ := [name for name in RunRequest.model_fields if getattr(given, name) != getattr(asked, name)]:
        raise Refused(
            f"run {request.required_run_id} is asked for with other {', '.join(differ)} than "
            f"{asked.requested_by} signed; ask anew with `hallmark run --as ID`"
        )


def _require_scheduler(request: RunRequest) -> None:
    if request.requested_by != SCHEDULER:
        raise Refused(
            f"run {request.required_run_id} is asked for in the name of {request.requested_by}, and no request "
            f"that they signed is with it; use `hallmark run --as {request.requested_by}`, or leave "
            "requested_by out: the scheduler asks"
        )


def _params_digest(checkout: Repository, params: str) -> str:
    try:
        return files.sha256_file(checkout.root / params)
    except OSError as error:
        raise InputError(f"{params}: cannot be read ({error.strerror}); give the path of a params file") from None
