"""gates/NAME.json: the signed statement that lets the stages behind a gate run, as they read it.

It holds no time, person or run, so the same inputs give the same bytes (ed25519 signs deterministically) and what
stands behind it can be taken from the cache. `tasks.gates.statement` writes it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.core.config import Frozen
from tasks.core.document import Document
from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json, tree_digest
from tasks.core.layout import EXPERIMENT, Layout
from tasks.core.params.values import Sha256
from tasks.trust import dsse

PREDICATE_TYPE = "urn:hallmark:gate:v1"
ANYTHING = "*"
GateName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""Which gates there are is what the policy in force at the time says."""


class Authority(Frozen):
    """inputs/authority.json: whose gate statements the stages of a run accept."""

    gate_public_keys: list[str]
    """OpenSSH public key lines of the installation that asks and judges."""
    policy_sha256: Sha256
    environment: str
    tier: str
    """The use case's risk tier, or `experiment` for work by hand."""


class GateStatement(Document):
    """The predicate of a gate's statement."""

    gate: GateName
    subject: Sha256 | Literal["*"]
    """Digest of the output that may pass; `*` for an experiment, where anything may."""
    policy_sha256: Sha256
    verdict: Literal["passed", "experiment"]
    demo: bool


def said(statement: dict[str, Any]) -> GateStatement:
    """What a verified statement says of a gate. Raises Refused where it says something else."""
    return dsse.predicate(statement, PREDICATE_TYPE, GateStatement, "a gate statement")


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
    path = layout.gate(gate)
    try:
        statement = dsse.verify(dsse.read(path), lines)
        claim = said(statement)
    except Refused as error:
        raise Refused(f"gate {gate} is not passed: {error}; {_what_to_do(gate)}") from None
    if claim.gate != gate:
        raise Refused(f"{path} is the statement of something else (gate {claim.gate}); {_what_to_do(gate)}")
    if claim.policy_sha256 != policy_sha256:
        raise Refused(f"{path} was given under another policy; {_what_to_do(gate)}")
    output = layout.stage(statement["subject"][0]["name"])
    if claim.verdict == "passed" and claim.subject != _present(output):
        raise Refused(f"{output} is not the output that gate {gate} let pass; {_what_to_do(gate)}")
    return claim


def read_authority(layout: Layout) -> Authority:
    """Read inputs/authority.json. Raises InputError where it is absent or broken."""
    try:
        return Authority.model_validate(read_json(layout.authority))
    except (OSError, ValueError) as error:
        raise InputError(f"{layout.authority}: cannot be read ({error}); run `hallmark resolve` to write it") from None


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
