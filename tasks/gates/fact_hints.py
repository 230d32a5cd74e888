"""Hints about checks of a policy whose metric the newest run lacked at their gate."""

from difflib import get_close_matches

from tasks.gates import cases
from tasks.gates.cases import GateCase
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import Ledger
from tasks.policy.gate_rules import Check
from tasks.policy.policy import Policy
from tasks.trust.gate_statement import GateName

MISSPELT_SIMILARITY = 0.9
"""Minimum similarity (`difflib`) at which a name counts as a misspelt name of a metric."""


def missing_fact_hints(policy: Policy, ledger: Ledger) -> list[str]:
    """Return a hint for each check whose metric the newest evidence of its gate lacks.

    An optional check gets a hint only if its metric is probably misspelt, because a run may lack the metric: before the
    first promotion, no run is compared with a champion. There are no hints about a gate without evidence.
    """
    newest = _newest_evidence(ledger)
    hints = (
        _hint(tier, newest[gate], check)
        for tier, gate, _, check in policy.located_checks()
        if gate in newest and check.fact not in newest[gate].facts
    )
    return list(filter(None, hints))


def _hint(tier: str, evidence: Evidence, check: Check) -> str:
    meant = get_close_matches(check.fact, evidence.facts, n=1, cutoff=MISSPELT_SIMILARITY)
    if check.optional and not meant:
        return ""
    question = f"; did you mean {meant[0]}?" if meant else ""
    outcome = "pass" if check.optional else "fail"
    return (
        f"risk tier {tier}, gate {evidence.gate}: run {evidence.run} has no metric {check.fact}, so check "
        f"{check.name!r} would {outcome}{question}"
    )


def _newest_evidence(ledger: Ledger) -> dict[GateName, Evidence]:
    newest = {str(entry.body.get("gate")): entry for entry in ledger.entries(cases.ASKED)}
    found = cases.cases_or_errors(list(newest.values()), ledger)
    return {case.evidence.gate: case.evidence for case in found if isinstance(case, GateCase)}
