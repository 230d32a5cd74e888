"""Hints about checks of a policy whose figure the newest run lacked at their gate, and what may have been meant."""

from difflib import get_close_matches

from tasks.gates import cases
from tasks.gates.cases import GateCase
from tasks.ledger.ledger import Ledger
from tasks.policy.policy import Policy
from tasks.trust.gate_statement import GateName


def unmeasured_fact_hints(policy: Policy, ledger: Ledger) -> list[str]:
    """Return a hint for each check of a figure that the newest evidence of its gate does not have.

    The list has no hints about a gate that no run has come to.
    """
    newest = _newest_evidence(ledger)
    hints = []
    for tier_name, tier in policy.tiers.items():
        for gate_name, gate in tier.gates.items():
            if gate_name not in newest:
                continue
            evidence = newest[gate_name].evidence
            for check in gate.checks:
                if check.fact not in evidence.facts:
                    meant = get_close_matches(check.fact, evidence.facts, n=1, cutoff=0.8)
                    question = f"; is {meant[0]} meant?" if meant else ""
                    outcome = "passes" if check.optional else "fails"
                    hints.append(
                        f"risk tier {tier_name}, gate {gate_name}: run {evidence.run} has no figure {check.fact}, and "
                        f"where there is none the check {check.name!r} {outcome}{question}"
                    )
    return hints


def _newest_evidence(ledger: Ledger) -> dict[GateName, GateCase]:
    newest = {str(entry.body.get("gate")): entry for entry in ledger.entries(cases.ASKED)}
    found = cases.cases_or_errors(list(newest.values()), ledger)
    return {case.evidence.gate: case for case in found if isinstance(case, GateCase)}
