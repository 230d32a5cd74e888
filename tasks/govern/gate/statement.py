"""gates/NAME.json: the signed statement that lets the stages behind a gate run.

It holds no time, person or run, so the same inputs give the same bytes (ed25519 signs deterministically) and DVC's
run cache can reuse what stands behind it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tasks.config import Frozen
from tasks.errors import InputError, Refused
from tasks.files import read_json, tree_digest
from tasks.govern import dsse
from tasks.govern.gate.evidence import Evidence, digest
from tasks.govern.gate.gates import Standing
from tasks.govern.rules.governance import Governance
from tasks.govern.rules.policy import EXPERIMENT, SUBJECTS, GateName
from tasks.layout import Layout
from tasks.params import Sha256

PREDICATE_TYPE = "urn:hallmark:gate:v1"
ANYTHING = "*"


class Authority(Frozen):
    """inputs/authority.json: whose gate statements the stages of a run accept."""

    gate_public_keys: list[str]
    """OpenSSH public key lines of the installation that asks and judges."""
    policy_sha256: Sha256
    environment: str
    tier: str
    """The use case's risk tier, or `experiment` for work by hand."""


class GateStatement(Frozen):
    """The predicate of a gate's statement."""

    gate: GateName
    subject: Sha256 | Literal["*"]
    """Digest of the output that may pass; `*` for an experiment, where anything may."""
    policy_sha256: Sha256
    verdict: Literal["passed", "experiment"]
    demo: bool


def write_gate(layout: Layout, evidence: Evidence, standing: Standing, governance: Governance) -> Path:
    """Write the statement of a gate that passed. Raises Refused where it did not."""
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
    """Write the statement that lets work by hand and tier `experiment` go on; nothing so made can be promoted."""
    policy_sha256 = governance.policy.digest()
    claim = GateStatement(gate=gate, subject=ANYTHING, policy_sha256=policy_sha256, verdict="experiment", demo=False)
    return _write(layout, claim, {"policy.yaml": policy_sha256}, governance)


def require_gate(layout: Layout, gate: GateName) -> None:
    """Let a stage go on only behind its gate, for exactly the output that lies there now.

    Raises Refused, with what to do, where gates/GATE.json is absent, forged, or about something else.
    """
    authority = read_authority(layout)
    claim = verify_gate(layout, gate, authority.gate_public_keys, authority.policy_sha256)
    if claim.verdict == "experiment" and authority.tier != EXPERIMENT:
        raise Refused(
            f"{layout.gate(gate)} is for experiments, this run is of risk tier {authority.tier}; {_what_to_do(gate)}"
        )


def verify_gate(layout: Layout, gate: GateName, lines: Sequence[str], policy_sha256: str) -> GateStatement:
    """The gate's statement, if one of those keys signed it under that policy for the output that lies there now.

    An experiment's statement verifies too; whoever calls decides whether its `verdict` will do. Raises Refused.
    """
    path, stage = layout.gate(gate), SUBJECTS[gate]
    try:
        statement = dsse.verify(dsse.read(path), lines)
        claim = GateStatement.model_validate(statement["predicate"])
    except Refused as error:
        raise Refused(f"gate {gate} is not passed: {error}; {_what_to_do(gate)}") from None
    except ValidationError:
        raise Refused(f"{path} is no gate statement; {_what_to_do(gate)}") from None
    if statement["predicateType"] != PREDICATE_TYPE or claim.gate != gate:
        raise Refused(f"{path} is the statement of something else (gate {claim.gate}); {_what_to_do(gate)}")
    if claim.policy_sha256 != policy_sha256:
        raise Refused(f"{path} was given under another policy; {_what_to_do(gate)}")
    if claim.verdict == "passed" and claim.subject != _present(layout.stage(stage)):
        raise Refused(f"{layout.stage(stage)} is not the output that gate {gate} let pass; {_what_to_do(gate)}")
    return claim


def read_authority(layout: Layout) -> Authority:
    """Read inputs/authority.json. Raises InputError where it is absent or broken."""
    try:
        return Authority.model_validate(read_json(layout.authority))
    except (OSError, ValueError) as error:
        raise InputError(f"{layout.authority}: cannot be read ({error}); run `hallmark resolve` to write it") from None


def _write(layout: Layout, claim: GateStatement, subject: dict[str, str], governance: Governance) -> Path:
    statement = dsse.statement(PREDICATE_TYPE, subject, claim.model_dump(mode="json"))
    dsse.write(layout.gate(claim.gate), dsse.sign(statement, governance.signer("gate")))
    return layout.gate(claim.gate)


def _present(folder: Path) -> str:
    try:
        return tree_digest(folder)
    except ValueError as error:  # a symbolic link, which could lead anywhere later
        raise Refused(str(error)) from None


def _what_to_do(gate: str) -> str:
    return (
        f"`hallmark run` asks gate {gate} and goes on when it passes (`hallmark gates list` shows what waits); "
        f"for an experiment by hand run `hallmark resolve`"
    )
