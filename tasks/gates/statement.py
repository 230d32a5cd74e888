"""Writing of gates/NAME.json, the statement that a gate has passed (`tasks.trust.gate_statement`)."""

from pathlib import Path

from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.gates.evidence import Evidence, digest
from tasks.gates.gates import GateStatus
from tasks.policy.governance import Governance
from tasks.trust import dsse
from tasks.trust.gate_statement import ANY_OUTPUT, PREDICATE_TYPE, GateName, GateStatement


def write_gate(layout: Layout, evidence: Evidence, standing: GateStatus, governance: Governance) -> Path:
    if standing.state != "passed" or standing.evidence_sha256 != digest(evidence):
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


def write_experiment_gate(layout: Layout, gate: GateName, governance: Governance) -> Path:
    """Write the statement that lets a stage continue without decisions, by hand or in a run of tier `experiment`.

    Models from such runs cannot be promoted.
    """
    policy_sha256 = governance.policy.digest()
    claim = GateStatement(gate=gate, subject=ANY_OUTPUT, policy_sha256=policy_sha256, verdict="experiment", demo=False)
    return _write(layout, claim, {"policy.yaml": policy_sha256}, governance)


def _write(layout: Layout, claim: GateStatement, subject: dict[str, str], governance: Governance) -> Path:
    statement = dsse.statement(PREDICATE_TYPE, subject, claim.json_value)
    dsse.write(layout.gate(claim.gate), dsse.sign(statement, governance.signer("gate")))
    return layout.gate(claim.gate)
