"""Commands `hallmark gates list` and `hallmark gates show`."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.gates import asked, page
from tasks.core.errors import HallmarkError
from tasks.gates import cases, gates
from tasks.gates.evidence import Summary
from tasks.gates.gates import Standing
from tasks.gates.overview import overview
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.runs.rules import Rules


def list_gates(
    every: Annotated[bool, typer.Option("--all", help="Show closed gates too.")] = False, as_json: shared.Json = False
) -> None:
    """List the gates that wait for people.

    Example: hallmark gates list
    """
    ledger = open_ledger(shared.root() / ".hallmark")
    rules = Rules(shared.root(), ledger)
    listed = _all(ledger, rules) if every else _open(ledger, rules)
    if as_json:
        shared.print_json([_row(*each) for each in listed])
        return
    header = ["run", "gate", "state", "asked by", "waits for"]
    shared.print_columns(header, [_cells(*each) for each in listed], "no gate waits")


Listed = Iterator[tuple[dict[str, Any], Standing | HallmarkError]]
"""Fields of each gate's question (run, gate, requester), and its standing or the error that prevents one."""


def _open(ledger: Ledger, rules: Rules) -> Listed:
    for glance in overview(ledger, lambda summary: _governed(rules, summary)):
        yield {"run": glance.entry.subject, **glance.entry.body}, glance.stands


def _all(ledger: Ledger, rules: Rules) -> Listed:
    with ledger.reading():
        for case in cases.read(ledger):
            known = {"run": case.entry.subject, **case.entry.body}
            try:
                yield known, gates.judge(case.evidence, ledger, _governed(rules, case.evidence), ledger.now())
            except HallmarkError as error:
                yield known, error


def _governed(rules: Rules, summary: Summary) -> Governance:
    return rules.of(summary.run) or asked.standing_in(summary, rules.installed())


def _row(known: dict[str, Any], standing: Standing | HallmarkError) -> dict[str, Any]:
    said = {name: known.get(name) for name in ("run", "gate", "requested_by", "demo")}
    if isinstance(standing, Standing):
        return said | standing.model_dump(mode="json")
    state, waiting_for = _stands(standing)
    return said | {"state": state, "waiting_for": waiting_for}


def _cells(known: dict[str, Any], standing: Standing | HallmarkError) -> list[str]:
    state, waiting_for = _stands(standing)
    return [known["run"], str(known.get("gate")), state, str(known.get("requested_by")), "; ".join(waiting_for)]


def _stands(standing: Standing | HallmarkError) -> tuple[str, list[str]]:
    """Return the state of a gate and the people it waits for; for a gate that cannot be judged, the reason instead."""
    if isinstance(standing, Standing):
        return standing.state, standing.waiting_for
    return "elsewhere" if isinstance(standing, asked.Elsewhere) else "void", [str(standing)]


def show(run: asked.RunId = None, gate: asked.Gate = None, as_json: shared.Json = False) -> None:
    """Show the evidence of a gate: its digest, each check, the changes since the last approval, and decisions.

    The command also shows who must still decide.

    Example: hallmark gates show a1b2
    """
    question = asked.find(run, gate, as_json)
    case, standing = question.case, question.standing()
    if as_json:
        more = {"asked": case.entry.time.isoformat(), "evidence": case.evidence.model_dump(mode="json")}
        shared.print_json(asked.row(case.evidence, standing) | more)
    else:
        page.show(case, standing, question.ledger, question.governance)
