"""Gate statements, gates/NAME.json, and their verification by the stages after a gate.

A gate statement contains no time, person or run. So the same inputs give the same bytes (ed25519 signatures are
deterministic), and stages that depend on it can be restored from the stage cache. `tasks.gates.statement` writes gate
statements.
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

GATE_PREDICATE_TYPE = "urn:hallmark:gate:v1"
ANY_OUTPUT = "*"
GateName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""Name of a gate. Only its format is validated here. The policy in force determines which gates exist."""


class Authority(FrozenModel):
    """Content of inputs/authority.json, which determines the gate statements that the stages of a run accept."""

    gate_public_keys: list[str]
    """OpenSSH public key lines of the installation's gate key."""
    policy_sha256: Sha256
    environment: str
    tier: str
    """Risk tier of the use case, or `experiment` if the stages are executed by hand."""


class GateStatement(Document):
    """Predicate of a gate statement. The stages after the gate refuse to run without this statement."""

    gate: GateName
    subject: Sha256 | Literal["*"]
    """Digest of the output that passed the gate; `*` for an experiment, in which any output passes."""
    policy_sha256: Sha256
    verdict: Literal["passed", "experiment"]
    demo: bool


def read_gate_predicate(statement: dict[str, Any]) -> GateStatement:
    return dsse.read_predicate(statement, GATE_PREDICATE_TYPE, GateStatement, "a gate statement")


def require_gate(layout: Layout, gate: GateName) -> None:
    """Verify that the current output has passed a gate. Each stage after the gate calls this function when it starts.

    Raises:
        Refused: gates/GATE.json is missing, its signature is not valid, or it is about another output, gate or policy.
            The message says what to do.
    """
    authority = read_authority(layout)
    claim = verify_gate(layout, gate, authority.gate_public_keys, authority.policy_sha256)
    if claim.verdict == "experiment" and authority.tier != EXPERIMENT_TIER:
        raise Refused(
            f"{layout.gate_statement_path(gate)} is for experiments, this run is of risk tier {authority.tier}; "
            f"{_remedy_text(gate)}"
        )


def verify_gate(layout: Layout, gate: GateName, public_lines: Sequence[str], policy_sha256: str) -> GateStatement:
    """Verify a gate's statement, and return its predicate.

    Gate statements of experiments are accepted as well, so the caller must check the `verdict`.

    Args:
        layout: Worktree with the statement and the output that it is about.
        gate: Name of the gate.
        public_lines: Public key lines. The signature must be from one of these keys.
        policy_sha256: Expected digest of the policy under which the statement was signed.

    Raises:
        Refused: The statement is missing, its signature is not valid, or it is about another output, gate or policy.
    """
    path = layout.gate_statement_path(gate)
    try:
        statement = dsse.verify_envelope(dsse.read_envelope(path), public_lines)
        claim = read_gate_predicate(statement)
    except Refused as error:
        raise Refused(f"gate {gate} is not passed: {error}; {_remedy_text(gate)}") from None
    if claim.gate != gate:
        raise Refused(f"{path} is the statement of something else (gate {claim.gate}); {_remedy_text(gate)}")
    if claim.policy_sha256 != policy_sha256:
        raise Refused(f"{path} was given under another policy; {_remedy_text(gate)}")
    output = layout.artefacts(statement["subject"][0]["name"])
    if claim.verdict == "passed" and claim.subject != _output_digest(output):
        raise Refused(f"{output} is not the output that gate {gate} let pass; {_remedy_text(gate)}")
    return claim


def read_authority(layout: Layout) -> Authority:
    try:
        return Authority.model_validate(read_json(layout.authority_path))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{layout.authority_path}: cannot be read ({error}); run `hallmark resolve` to write it"
        ) from None


def _output_digest(folder: Path) -> str:
    try:
        return tree_digest(folder)
    except ValueError as error:  # a symbolic link, whose target could change later
        raise Refused(str(error)) from None


def _remedy_text(gate: str) -> str:
    return (
        f"`hallmark run` asks gate {gate} and goes on when it passes (`hallmark gates list` shows what waits); "
        f"for an experiment by hand run `hallmark resolve`"
    )
