"""Gate that a command is about, its newest evidence, and the governance by which the gate is judged.

Run and gate can be left out on the command line if only one run waits, or only one gate of the run is open. The command
then names them before it prints anything else.
"""

from typing import Annotated, Any, NamedTuple

import typer

from infra.cli import run_argument, shared
from tasks.core.errors import InputError, Refused
from tasks.core.graph import GATES
from tasks.gates import cases, gates
from tasks.gates.cases import GateCase
from tasks.gates.evidence import Evidence, EvidenceSummary
from tasks.gates.gates import GateStatus
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs.run import exists_here, governance_of, layout_of


def _run_or_gate(given: str) -> str:
    return given if given in GATES else run_argument.resolve_id(given)


RunId = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help=f"{run_argument.HELP} Default: the one that waits.", parser=_run_or_gate),
]
Gate = Annotated[
    str | None, typer.Argument(metavar="GATE", help="data, evaluation or release. Default: the one that is open.")
]
MAX_LISTED = 10


class OnAnotherMachine(Refused):
    """Raised if a gate can be judged only on another machine."""


class Question(NamedTuple):
    case: GateCase
    governance: Governance
    ledger: Ledger

    def standing(self) -> GateStatus:
        return gates.judge(self.case.evidence, self.ledger, self.governance, self.ledger.now())


def find(run: str | None, gate: str | None, as_json: bool) -> Question:
    """Return a gate with its newest evidence and its governance.

    Args:
        run: Id of a run, or the name of a gate if `gate` is None; None for the only run that waits.
        gate: Name of a gate; None for the open gate.
        as_json: Whether the notice about a default run or gate is printed to stderr.

    Raises:
        InputError: The run has never reached the gate, or more than one run waits.
    """
    if run in GATES and gate is None:
        run, gate = None, run
    if gate is not None and gate not in GATES:
        raise InputError(f"there is no gate {gate!r}; expected one of {', '.join(GATES)}")
    ledger = shared.open_checkout().ledger
    if given := run:
        run, chosen = given, gate or _open_gate(given, ledger)
    else:
        run, chosen = _only_waiting(gate, ledger)
    if (run, chosen) != (given, gate):
        shared.print_notice(f"the {chosen} gate of run {run}, which is open", as_json)
    case = cases.newest(ledger, run, chosen)
    return Question(case, governance(case.evidence), ledger)


def _open_gate(run: str, ledger: Ledger) -> str:
    waiting = [str(entry.body["gate"]) for entry in ledger.open_questions() if entry.subject == run]
    if not waiting and not cases.read_all(ledger, run):
        raise InputError(f"run {run} has asked at no gate; `hallmark gates list --all` shows those that have")
    if not waiting:
        raise InputError(f"no gate of run {run} is open; name the one you mean: {', '.join(GATES)}")
    return waiting[-1]


def _only_waiting(gate: str | None, ledger: Ledger) -> tuple[str, str]:
    waiting = [(entry.subject, str(entry.body["gate"])) for entry in ledger.open_questions()]
    waiting = [each for each in waiting if gate in (None, each[1])]
    what = f"the {gate} gate" if gate else "a gate"
    if not waiting:
        raise InputError(f"no run waits at {what}; `hallmark gates list --all` shows those that did")
    if len(waiting) > 1:
        last = "\n".join(f"  {run} {name}" for run, name in waiting[-MAX_LISTED:])
        raise InputError(f"{len(waiting):,} runs wait at {what}; say which one, or its last four characters:\n{last}")
    return waiting[0]


def governance(evidence: Evidence) -> Governance:
    """Return the governance by which a gate is judged.

    If the run is on another machine, this is the governance installed on this machine, because the other machine judges
    decisions again.

    Raises:
        OnAnotherMachine: See `substitute_governance`.
    """
    where = shared.checkout_root()
    layout = layout_of(where, evidence.run)
    governed = governance_of(where, layout)
    return governed if exists_here(layout) else substitute_governance(evidence, governed)


def substitute_governance(evidence: EvidenceSummary, governed: Governance) -> Governance:
    """Return the governance installed here, for a run on another machine.

    Raises:
        OnAnotherMachine: The policies differ, or the environment is `local`, in which each machine has its own keys.
    """
    why = "in environment local keys are each machine's own" if governed.local else "its policy is another than here"
    if governed.local or governed.policy_sha256 != evidence.policy_sha256:
        raise OnAnotherMachine(f"run {evidence.run} is not on this machine, and {why}; look and decide where it is")
    return governed


def standing_row(evidence: EvidenceSummary, stands: GateStatus) -> dict[str, Any]:
    return evidence.model_dump(include={"run", "gate", "requested_by", "demo"}) | stands.model_dump(mode="json")
