"""Gate statements, gates/NAME.json, as read by the stages behind a gate.

A gate statement contains no time, person or run. So the same inputs give the same bytes (ed25519 signatures are
deterministic), and stages that depend on it can be restored from the stage cache. `tasks.gates.statement` writes it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json, tree_digest
from tasks.core.layout import EXPERIMENT_TIER, Layout
from tasks.core.params.values import Sha256
from tasks.trust import dsse

PREDICATE_TYPE = "urn:hallmark:gate:v1"
ANY_OUTPUT = "*"
GateName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""Name of a gate. Only its form is validated here, because the policy in force lists the gates."""


class Authority(FrozenModel):
    """Content of inputs/authority.json: the keys whose gate statements the stages of a run accept."""

    gate_public_keys: list[str]
    """OpenSSH public key lines of the installation's gate key."""
    policy_sha256: Sha256
    environment: str
    tier: str
    """Risk tier of the use case, or `experiment` if the stages are executed by hand."""


class GateStatement(Document):
    """Predicate of a gate statement, which lets the stages after a gate run."""

    gate: GateName
    subject: Sha256 | Literal["*"]
    """Digest of the output that passed the gate; `*` for an experiment, in which any output passes."""
    policy_sha256: Sha256
    verdict: Literal["passed", "experiment"]
    demo: bool


def read_predicate(statement: dict[str, Any]) -> GateStatement:
    return dsse.read_predicate(statement, PREDICATE_TYPE, GateStatement, "a gate statement")


def require_gate(layout: Layout, gate: GateName) -> None:
    """Verify that a gate let the current output pass. A stage after the gate calls this function before it runs.

    Raises:
        Refused: gates/GATE.json is missing, its signature is not valid, or it is about another output, gate or policy.
            The message says what to do.
    """
    authority = read_authority(layout)
    claim = verify_gate(layout, gate, authority.gate_public_keys, authority.policy_sha256)
    if claim.verdict == "experiment" and authority.tier != EXPERIMENT_TIER:
        raise Refused(
            f"{layout.gate(gate)} is for experiments, this run is of risk tier {authority.tier}; {_remedy(gate)}"
        )


def verify_gate(layout: Layout, gate: GateName, lines: Sequence[str], policy_sha256: str) -> GateStatement:
    """Verify a gate's statement, and return its predicate.

    Statements of experiments are verified too; the caller decides whether the `verdict` is acceptable.

    Args:
        layout: Worktree with the statement and the output that it is about.
        gate: Name of the gate.
        lines: Public key lines, one of which must have signed.
        policy_sha256: Digest of the policy that must have been in force.

    Raises:
        Refused: The statement is missing, its signature is not valid, or it is about another output, gate or policy.
    """
    path = layout.gate(gate)
    try:
        statement = dsse.verify(dsse.read(path), lines)
        claim = read_predicate(statement)
    except Refused as error:
        raise Refused(f"gate {gate} is not passed: {error}; {_remedy(gate)}") from None
    if claim.gate != gate:
        raise Refused(f"{path} is the statement of something else (gate {claim.gate}); {_remedy(gate)}")
    if claim.policy_sha256 != policy_sha256:
        raise Refused(f"{path} was given under another policy; {_remedy(gate)}")
    output = layout.artefacts(statement["subject"][0]["name"])
    if claim.verdict == "passed" and claim.subject != _output_digest(output):
        raise Refused(f"{output} is not the output that gate {gate} let pass; {_remedy(gate)}")
    return claim


def read_authority(layout: Layout) -> Authority:
    try:
        return Authority.model_validate(read_json(layout.authority))
    except (OSError, ValueError) as error:
        raise InputError(f"{layout.authority}: cannot be read ({error}); run `hallmark resolve` to write it") from None


def _output_digest(folder: Path) -> str:
    try:
        return tree_digest(folder)
    except ValueError as error:  # a symbolic link, whose target could change later
        raise Refused(str(error)) from None


def _remedy(gate: str) -> str:
    return (
        f"`hallmark run` asks gate {gate} and goes on when it passes (`hallmark gates list` shows what waits); "
        f"for an experiment by hand run `hallmark resolve`"
    )
