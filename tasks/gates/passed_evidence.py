"""Evidence that last passed a gate, from the ledger."""

from tasks.gates import cases
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import Ledger
from tasks.trust.gate_statement import GateName


def last_passed_evidence(
    ledger: Ledger, use_case: str, demo: bool, gate: GateName = "data", excluded_run: str | None = None
) -> Evidence | None:
    """Return the evidence with which a use case last passed a gate; None if the gate was never passed.

    Args:
        ledger: Ledger of the installation.
        use_case: Name of the use case.
        demo: Whether evidence of demo runs can be returned.
        gate: Name of the gate.
        excluded_run: Id of a run to leave out.
    """
    wanted = {"gate": gate, "state": "passed", "use_case": use_case}
    for closed in ledger.newest_first(cases.CLOSED):
        if closed.subject == excluded_run or not closed.body.items() >= wanted.items():
            continue
        if closed.body.get("demo") and not demo:
            continue
        for case in cases.read_cases(ledger, closed.subject, gate):
            evidence = case.evidence
            if case.closing_entry == closed and evidence.use_case == use_case and (demo or not evidence.demo):
                return evidence
    return None
