"""People who may take part in a review. Nobody judges the answers of a run that they requested themselves."""

from collections.abc import Iterable

from tasks.core.errors import Refused
from tasks.gates import signed_request
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance


def require_not_requesters(ledger: Ledger, governance: Governance, run: str, people: Iterable[str]) -> None:
    """Verify that none of the people requested a run, or declared the schedule or trigger that did.

    Raises:
        Refused: One of them did, or the ledger has no valid request for the run.
    """
    asked = signed_request.require_request(ledger, governance, run).request
    if own := sorted(asked.requesters.intersection(people)):
        raise Refused(
            f"{', '.join(own)} requested run {run}, and nobody reviews answers of their own run; name other people"
        )
