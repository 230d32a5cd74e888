"""The dataset that was approved last, as the ledger has it."""

from tasks.govern import docket
from tasks.govern.evidence import Evidence
from tasks.govern.ledger import Ledger


def last(ledger: Ledger, use_case: str, demo: bool) -> Evidence | None:
    """The evidence of the data gate that passed last for a use case; None where none has.

    What demo identities let through is compared with on demo runs only.
    """
    for closed in reversed(ledger.entries(docket.CLOSED)):
        if (closed.body.get("gate"), closed.body.get("state")) != ("data", "passed"):
            continue
        for case in docket.cases(ledger, closed.subject, "data"):
            found = case.evidence
            if case.closed == closed and found.use_case == use_case and (demo or not found.demo):
                return found
    return None
