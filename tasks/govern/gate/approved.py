"""What passed a gate last, as the ledger has it."""

from tasks.govern.gate import docket
from tasks.govern.gate.evidence import Evidence
from tasks.govern.ledger.ledger import Ledger
from tasks.govern.rules.policy import GateName


def last(
    ledger: Ledger, use_case: str, demo: bool, gate: GateName = "data", other_than: str | None = None
) -> Evidence | None:
    """The evidence that passed a gate last for a use case, of another run than `other_than`; None where none has.

    What demo identities let through is compared with on demo runs only.
    """
    for closed in reversed(ledger.entries(docket.CLOSED)):
        if (closed.body.get("gate"), closed.body.get("state")) != (gate, "passed") or closed.subject == other_than:
            continue
        for case in docket.cases(ledger, closed.subject, gate):
            found = case.evidence
            if case.closed == closed and found.use_case == use_case and (demo or not found.demo):
                return found
    return None
