"""A gate's question as it was put last, and what it is judged by here."""

from typing import Annotated, Any, NamedTuple

import typer

from infra.cli import shared
from tasks.core.errors import InputError, Refused
from tasks.core.graph import GATES
from tasks.gates import cases, gates
from tasks.gates.cases import Case
from tasks.gates.evidence import Evidence, Summary
from tasks.gates.gates import Standing
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.runs.run import governance_of, is_here, layout_of

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Run id, as `hallmark status` shows it.")]
Gate = Annotated[str, typer.Argument(metavar="GATE", help="data, evaluation or release.")]


class Elsewhere(Refused):
    """A gate that can be judged on another machine alone."""


class Question(NamedTuple):
    case: Case
    governance: Governance
    """What the gate is judged by."""
    ledger: Ledger

    def standing(self) -> Standing:
        """Where the gate stands now."""
        return gates.judge(self.case.evidence, self.ledger, self.governance, self.ledger.now())


def find(run: str, gate: str) -> Question:
    """A gate as it was asked last. Raises InputError where it never was."""
    if gate not in GATES:
        raise InputError(f"there is no gate {gate!r}; expected one of {', '.join(GATES)}")
    ledger = open_ledger(shared.root() / ".hallmark")
    asked = [case for case in cases.read(ledger, run) if case.evidence.gate == gate]
    if not asked:
        raise InputError(f"run {run} has asked nothing at the gate {gate}; `hallmark gates list --all` shows what was")
    return Question(asked[-1], governance(asked[-1].evidence), ledger)


def governance(evidence: Evidence) -> Governance:
    """What a gate is judged by. Of a run that is not on this machine these are the files installed here, since what is
    decided here is judged again there. Raises as `standing_in`."""
    where = shared.root()
    layout = layout_of(where, evidence.run)
    governed = governance_of(where, layout)
    return governed if is_here(layout) else standing_in(evidence, governed)


def standing_in(evidence: Summary, governed: Governance) -> Governance:
    """The files installed here, for a run elsewhere. Raises Elsewhere where they cannot stand for those there: the
    policy is another, or keys are each machine's own."""
    why = "in environment local keys are each machine's own" if governed.local else "its policy is another than here"
    if governed.local or governed.policy_sha256 != evidence.policy_sha256:
        raise Elsewhere(f"run {evidence.run} is not on this machine, and {why}; look and decide where it is")
    return governed


def row(evidence: Summary, stands: Standing) -> dict[str, Any]:
    """A gate as `--json` prints it."""
    return {
        "run": evidence.run, "gate": evidence.gate, "requested_by": evidence.requested_by, "demo": evidence.demo,
        **stands.model_dump(mode="json"),
    }  # fmt: skip
