"""The dataset that was approved last, as the ledger has it."""

from tasks.govern import docket
from tasks.govern.evidence import Evidence
from tasks.govern.ledger import Ledger


def last(ledger: Ledger, use_case: str, demo: bool, before: str | None = None) -> Evidence | None:
    """The evidence of the data gate that passed last for a use case, in another run than `before`.

    What demo identities let through is compared with on demo runs only.
    """
    passed = [
        case
        for case in docket.cases(ledger, gate="data")
        if case.closed is not None
        and case.closed.body.get("state") == "passed"
        and case.evidence.use_case == use_case
        and case.evidence.run != before
        and (demo or not case.evidence.demo)
    ]
    newest = max(passed, key=lambda case: case.closed.seq if case.closed else 0, default=None)
    return newest.evidence if newest else None
