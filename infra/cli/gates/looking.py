"""`hallmark gates list` and `show`."""

from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.gates import asked, page
from infra.cli.shared import console
from tasks.errors import HallmarkError
from tasks.govern.gate import docket, gates
from tasks.govern.gate.evidence import Evidence
from tasks.govern.ledger.ledger import Ledger, open_ledger


def list_gates(
    every: Annotated[bool, typer.Option("--all", help="Closed gates too.")] = False, as_json: shared.Json = False
) -> None:
    """The gates that wait for people.

    Example: hallmark gates list
    """
    ledger = open_ledger(shared.root() / ".hallmark")
    found = [case.evidence for case in docket.cases(ledger)] if every else gates.waiting(ledger)
    rows = [_row(evidence, ledger) for evidence in found]
    if as_json:
        shared.print_json(rows)
        return
    table = Table("run", "gate", "state", "asked by", "waits for", box=None, header_style="bold")
    for row in rows:
        table.add_row(row["run"], row["gate"], row["state"], row["requested_by"], "; ".join(row["waiting_for"]))
    console.print(table if rows else "no gate waits")


def _row(evidence: Evidence, ledger: Ledger) -> dict[str, Any]:
    """A gate in the list; one that cannot be judged says why instead: policy changed, or its run is elsewhere."""
    try:
        return asked.row(evidence, gates.judge(evidence, asked.governance(evidence), ledger, ledger.now()))
    except HallmarkError as error:
        known = evidence.model_dump(include={"run", "gate", "requested_by", "demo"})
        state = "elsewhere" if isinstance(error, asked.Elsewhere) else "void"
        return known | {"state": state, "waiting_for": [str(error)]}


def show(run: asked.RunId, gate: asked.Gate, as_json: shared.Json = False) -> None:
    """The evidence of a gate and its digest, check by check, what changed since it was approved last, who must decide
    and who has.

    Example: hallmark gates show 20260303-120000-a1b2 data
    """
    question = asked.find(run, gate)
    case, standing = question.case, question.standing()
    if as_json:
        more = {"asked": case.entry.time.isoformat(), "evidence": case.evidence.model_dump(mode="json")}
        shared.print_json(asked.row(case.evidence, standing) | more)
    else:
        page.show(case, standing, question.ledger)
