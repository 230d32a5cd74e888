"""Writing of gates/NAME.json, the statement that a gate has passed (`tasks.trust.gate_statement`)."""

from pathlib import Path

from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.gates.evidence import Evidence, evidence_digest
from tasks.gates.gates import GateStatus
from tasks.policy.governance import Governance
from tasks.trust import dsse
from tasks.trust.gate_statement import ANY_OUTPUT, GATE_PREDICATE_TYPE, GateName, GateStatement


def write_gate_statement(layout: Layout, evidence: Evidence, standing: GateStatus, governance: Governance) -> Path:
    if standing.state != "passed" or standing.evidence_sha256 != evidence_digest(evidence):
        raise Refused(f"gate {evidence.gate} of run {evidence.run} has not passed on this evidence ({standing.state})")
    return _write(
        layout,
        GateStatement(
            gate=evidence.gate,
            subject=evidence.subject.sha256,
            policy_sha256=evidence.policy_sha256,
            verdict="passed",
            demo=evidence.demo,
        ),
        {evidence.subject.stage: evidence.subject.sha256},
        governance,
    )


def write_experiment_statement(layout: Layout, gate: GateName, governance: Governance) -> Path:
    """Write a gate statement that lets the next stage run without decisions.

    It is for stages that are run by hand and for runs in risk tier `experiment`, whose models cannot be promoted.
    """
    policy_sha256 = governance.policy.digest()
    claim = GateStatement(gate=gate, subject=ANY_OUTPUT, policy_sha256=policy_sha256, verdict="experiment", demo=False)
    return _write(layout, claim, {"policy.yaml": policy_sha256}, governance)


def _write(layout: Layout, claim: GateStatement, subject: dict[str, str], governance: Governance) -> Path:
    statement = dsse.make_statement(GATE_PREDICATE_TYPE, subject, claim.json_value)
    dsse.write_envelope(
        layout.gate_statement_path(claim.gate), dsse.sign_statement(statement, governance.find_signer("gate"))
    )
    return layout.gate_statement_path(claim.gate)
