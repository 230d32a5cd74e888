"""Gate that a command is about, its newest evidence, and the governance by which the gate is judged.

The run can be omitted on the command line if only one run waits, and the gate if only one gate of the run is open. The
command then names both before it prints anything else.
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
from tasks.runs.run import governance_of_run, is_on_this_machine, run_layout


def _parse_run_or_gate(given: str) -> str:
    return given if given in GATES else run_argument.expand_run_id(given)


RunId = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN", help=f"{run_argument.RUN_ID_HELP} Default: the one that waits.", parser=_parse_run_or_gate
    ),
]
Gate = Annotated[
    str | None, typer.Argument(metavar="GATE", help="data, evaluation or release. Default: the one that is open.")
]
MAX_LISTED = 10


class GateOnAnotherMachine(Refused):
    """Raised if a gate can be judged only on another machine."""


class GateQuestion(NamedTuple):
    case: GateCase
    governance: Governance
    ledger: Ledger

    def judge(self) -> GateStatus:
        return gates.judge_gate(self.case.evidence, self.ledger, self.governance, self.ledger.now())


def find_question(run: str | None, gate: str | None, as_json: bool) -> GateQuestion:
    """Return a gate with its newest evidence and its governance.

    Args:
        run: Id of a run, or the name of a gate if `gate` is None; None for the only run that waits.
        gate: Name of a gate; None for the open gate.
        as_json: Whether to print the notice about the selected run and gate to stderr instead of stdout.

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
        run, chosen = _only_waiting_gate(gate, ledger)
    if (run, chosen) != (given, gate):
        shared.print_notice(f"the {chosen} gate of run {run}, which is open", as_json)
    case = cases.newest_case(ledger, run, chosen)
    return GateQuestion(case, judging_governance(case.evidence), ledger)


def _open_gate(run: str, ledger: Ledger) -> str:
    waiting = [str(entry.body["gate"]) for entry in ledger.open_questions() if entry.subject == run]
    if not waiting and not cases.read_cases(ledger, run):
        raise InputError(f"run {run} has asked at no gate; `hallmark gates list --all` shows those that have")
    if not waiting:
        raise InputError(f"no gate of run {run} is open; name the one you mean: {', '.join(GATES)}")
    return waiting[-1]


def _only_waiting_gate(gate: str | None, ledger: Ledger) -> tuple[str, str]:
    waiting = [(entry.subject, str(entry.body["gate"])) for entry in ledger.open_questions()]
    waiting = [each for each in waiting if gate in (None, each[1])]
    what = f"the {gate} gate" if gate else "a gate"
    if not waiting:
        raise InputError(f"no run waits at {what}; `hallmark gates list --all` shows those that did")
    if len(waiting) > 1:
        last = "\n".join(f"  {run} {name}" for run, name in waiting[-MAX_LISTED:])
        raise InputError(f"{len(waiting):,} runs wait at {what}; say which one, or its last four characters:\n{last}")
    return waiting[0]


def judging_governance(evidence: Evidence) -> Governance:
    """Return the governance by which a gate is judged.

    For a run on another machine, this is the governance installed here, because the other machine judges every decision
    again.

    Raises:
        OnAnotherMachine: See `substitute_governance`.
    """
    where = shared.checkout_root()
    layout = run_layout(where, evidence.run)
    governed = governance_of_run(where, layout)
    return governed if is_on_this_machine(layout) else substitute_governance(evidence, governed)


def substitute_governance(evidence: EvidenceSummary, governed: Governance) -> Governance:
    """Return the governance installed here, for a run on another machine.

    Raises:
        OnAnotherMachine: The policies differ, or the environment is `local`, in which each machine has its own keys.
    """
    why = "in environment local keys are each machine's own" if governed.is_local else "its policy is another than here"
    if governed.is_local or governed.policy_sha256 != evidence.policy_sha256:
        raise GateOnAnotherMachine(f"run {evidence.run} is not on this machine, and {why}; look and decide where it is")
    return governed


def status_row(evidence: EvidenceSummary, status: GateStatus) -> dict[str, Any]:
    return evidence.model_dump(include={"run", "gate", "requested_by", "demo"}) | status.model_dump(mode="json")
