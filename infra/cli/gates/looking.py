"""Commands `hallmark gates list` and `hallmark gates show`."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.gates import gate_question, page
from tasks.core.errors import HallmarkError
from tasks.gates import cases, gates
from tasks.gates.evidence import EvidenceSummary
from tasks.gates.gates import GateStatus
from tasks.gates.overview import open_gates
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs.governance_cache import GovernanceCache


def list_gates(
    every: Annotated[bool, typer.Option("--all", help="Show closed gates too.")] = False, as_json: shared.Json = False
) -> None:
    """List the gates that wait for decisions.

    Example: hallmark gates list
    """
    here = shared.open_checkout()
    listed = (_all_gate_rows if every else _open_gate_rows)(here.ledger, here.governance_cache)
    if as_json:
        shared.print_json([_row(*each) for each in listed])
        return
    header = ["run", "gate", "state", "asked by", "waits for"]
    shared.print_table(header, [_cells(*each) for each in listed], "no gate waits")


GateRows = Iterator[tuple[dict[str, Any], GateStatus | HallmarkError]]
"""Rows of the gate list: run, gate and requester, with the gate's status or the error that occurred when it was
judged."""


def _open_gate_rows(ledger: Ledger, rules: GovernanceCache) -> GateRows:
    for glance in open_gates(ledger, lambda summary: _governance_of(rules, summary)):
        yield {"run": glance.entry.subject, **glance.entry.body}, glance.status


def _all_gate_rows(ledger: Ledger, rules: GovernanceCache) -> GateRows:
    with ledger.reading():
        for case in cases.read_cases(ledger):
            known = {"run": case.opening_entry.subject, **case.opening_entry.body}
            try:
                yield known, gates.judge_gate(case.evidence, ledger, _governance_of(rules, case.evidence), ledger.now())
            except HallmarkError as error:
                yield known, error


def _governance_of(rules: GovernanceCache, summary: EvidenceSummary) -> Governance:
    return rules.governance_of_local_run(summary.run) or gate_question.substitute_governance(
        summary, rules.adopted_governance()
    )


def _row(known: dict[str, Any], standing: GateStatus | HallmarkError) -> dict[str, Any]:
    said = {name: known.get(name) for name in ("run", "gate", "requested_by", "demo")}
    if isinstance(standing, GateStatus):
        return said | standing.model_dump(mode="json")
    state, waiting_for = _state_and_waiting(standing)
    return said | {"state": state, "waiting_for": waiting_for}


def _cells(known: dict[str, Any], standing: GateStatus | HallmarkError) -> list[str]:
    state, waiting_for = _state_and_waiting(standing)
    return [known["run"], str(known.get("gate")), state, str(known.get("requested_by")), "; ".join(waiting_for)]


def _state_and_waiting(standing: GateStatus | HallmarkError) -> tuple[str, list[str]]:
    if isinstance(standing, GateStatus):
        return standing.state, standing.waiting_for
    return "elsewhere" if isinstance(standing, gate_question.GateOnAnotherMachine) else "void", [str(standing)]


def show(run: gate_question.RunId = None, gate: gate_question.Gate = None, as_json: shared.Json = False) -> None:
    """Show the evidence of a gate: its digest, each check, the changes since the last approval, and decisions.

    The output also names the people who must still decide.

    Example: hallmark gates show a1b2
    """
    question = gate_question.find_question(run, gate, as_json)
    case, standing = question.case, question.judge()
    if as_json:
        more = {"asked": case.opening_entry.time.isoformat(), "evidence": case.evidence.model_dump(mode="json")}
        shared.print_json(gate_question.status_row(case.evidence, standing) | more)
    else:
        page.print_evidence(case, standing, question.ledger, question.governance)
