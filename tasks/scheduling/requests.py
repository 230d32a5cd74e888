"""Signed request for the run of an occasion, by the scheduler or by a person who wants the run now."""

from tasks.core.errors import InputError, Refused
from tasks.gates.signed_request import REQUEST_KIND
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.tier import SCHEDULER
from tasks.runs.git.repository import Repository
from tasks.runs.request import RunRequest
from tasks.runs.requests import signed_requests
from tasks.runs.run import check_request
from tasks.scheduling import deployments_in_force
from tasks.scheduling.occasion_entries import Occasion, OccasionRequest, RequestSigner
from tasks.scheduling.occasion_log import TakenOccasion


def request_signer(
    checkout: Repository, ledger: Ledger, governance: Governance, occasion: Occasion, requester: str = SCHEDULER
) -> RequestSigner:
    """Return a function that signs a run request for an occasion, at the checkout's HEAD.

    The function raises InputError or Refused if the run is known to be impossible, or if the requester's key is not
    available.
    """

    def ask(run: str) -> OccasionRequest:
        commit = checkout.commit_id("HEAD")
        if not checkout.has_file(commit, occasion.params):
            raise InputError(f"{occasion.params} is not committed; a scheduled run is made from committed files")
        declared = deployments_in_force.read_deployments(ledger, governance).declared_by.get(occasion.name)
        request = RunRequest(
            run_id=run, requested_by=requester, commit=commit, params=occasion.params, changes=occasion.changes,
            reason=occasion.reason, initiated_by=[declared] if declared else [],
        )  # fmt: skip
        check_request(checkout, request, on_other_machine=occasion.pool is not None)
        return OccasionRequest(request, signed_requests.sign_request(checkout, ledger, governance, request))

    return ask


def read_request(occasion: TakenOccasion) -> OccasionRequest:
    """Return the signed run request of an occasion.

    Raises:
        Refused: The ledger's entry about the occasion has no request for this run.
    """
    envelope = occasion.body.get("envelope")
    envelope = envelope if isinstance(envelope, dict) else {}
    request = RunRequest.from_signed(REQUEST_KIND.unverified_document(envelope))
    if request.run_id != occasion.run:
        raise Refused(f"occasion {occasion.key} has the request of another run, {request.run_id}; nothing is asked for")
    return OccasionRequest(request, envelope)
