"""`hallmark gates`: what waits for people, the evidence, and their decisions."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli import datasets, shared
from infra.cli.shared import console
from infra.prefect import client, server
from tasks.errors import HallmarkError, InputError, Refused
from tasks.facts import Fact
from tasks.govern import decisions, docket, gates
from tasks.govern.evidence import Evidence
from tasks.govern.gates import CheckStanding, Standing
from tasks.govern.governance import Governance
from tasks.govern.ledger import Ledger, open_ledger
from tasks.runs import journal
from tasks.runs.run import governance_of, is_here, layout_of

app = typer.Typer(
    help="List the gates that wait, look at their evidence, approve, reject, waive or withdraw.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Run id, as `hallmark status` shows it.")]
Gate = Annotated[str, typer.Argument(metavar="GATE", help="data, evaluation or release.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the ledger for good.")]
Role = Annotated[str | None, typer.Option(metavar="ROLE", help="The role decided in, where you hold several.")]


@app.command("list")
def list_gates(
    every: Annotated[bool, typer.Option("--all", help="Closed gates too.")] = False, as_json: shared.Json = False
) -> None:
    """The gates that wait for people.

    Example: hallmark gates list
    """
    ledger = open_ledger(shared.root() / ".hallmark")
    found = [case.evidence for case in docket.cases(ledger)] if every else gates.waiting(ledger)
    rows = [_list_row(evidence, ledger) for evidence in found]
    if as_json:
        shared.print_json(rows)
        return
    table = Table("run", "gate", "state", "asked by", "waits for", box=None, header_style="bold")
    for row in rows:
        table.add_row(row["run"], row["gate"], row["state"], row["requested_by"], "; ".join(row["waiting_for"]))
    console.print(table if rows else "no gate waits")


def _list_row(evidence: Evidence, ledger: Ledger) -> dict[str, Any]:
    """A gate in the list; one that cannot be judged says why instead: policy changed, or its run is elsewhere."""
    try:
        return _row(evidence, _standing(evidence, ledger))
    except HallmarkError as error:
        known = evidence.model_dump(include={"run", "gate", "requested_by", "demo"})
        state = "elsewhere" if isinstance(error, Elsewhere) else "void"
        return known | {"state": state, "waiting_for": [str(error)]}


@app.command()
def show(run: RunId, gate: Gate, as_json: shared.Json = False) -> None:
    """The evidence of a gate, check by check, and who has decided what.

    Example: hallmark gates show 20260303-120000-a1b2 data
    """
    evidence, _, ledger = _find(run, gate)
    standing = _standing(evidence, ledger)
    if as_json:
        shared.print_json(_row(evidence, standing) | {"evidence": evidence.model_dump(mode="json")})
    else:
        _print(evidence, standing)


@app.command()
def approve(
    run: RunId, gate: Gate, reason: Reason = "", who: shared.As = None, role: Role = None, as_json: shared.Json = False
) -> None:
    """Approve a gate with your key.

    Example: hallmark gates approve 20260303-120000-a1b2 data --as data-owner --reason "suites clean"
    """
    _decide(run, gate, who, "approve", reason, as_json, role=role)


@app.command()
def reject(
    run: RunId, gate: Gate, reason: Reason, who: shared.As = None, role: Role = None, as_json: shared.Json = False
) -> None:
    """Reject a gate with your key; the run stops.

    Example: hallmark gates reject 20260303-120000-a1b2 data --as data-owner --reason "wrong extract"
    """
    _decide(run, gate, who, "reject", reason, as_json, role=role)


@app.command()
def waive(
    run: RunId,
    gate: Gate,
    check: Annotated[list[str], typer.Option(help="Name of a failed check; may be repeated.")],
    reason: Reason,
    expires: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day the waiver counts.")],
    who: shared.As = None,
    as_json: shared.Json = False,
) -> None:
    """Waive failed checks, in the role that policy names for it, until a date.

    Then go on with `hallmark run --resume RUN`.

    Example: hallmark gates waive 20260303-120000-a1b2 data --check "few malformed rows" --reason "known export
    defect" --expires 2026-04-01 --as risk-officer
    """
    until = expires.replace(hour=23, minute=59, second=59, tzinfo=UTC)
    _decide(run, gate, who, "waive", reason, as_json, checks=tuple(check), expires=until)


@app.command()
def withdraw(run: RunId, gate: Gate, reason: Reason, who: shared.As = None, as_json: shared.Json = False) -> None:
    """Withdraw your own decision while the gate is open.

    Example: hallmark gates withdraw 20260303-120000-a1b2 data --as data-owner --reason "looked at the wrong run"
    """
    _decide(run, gate, who, "withdraw", reason, as_json)


def _find(run: str, gate: str) -> tuple[Evidence, Governance, Ledger]:
    """A gate's evidence as it was asked last, the governance it is judged by, and the ledger."""
    where = shared.root()
    ledger = open_ledger(where / ".hallmark")
    asked = [case for case in docket.cases(ledger, run) if case.evidence.gate == gate]
    if not asked:
        raise InputError(f"run {run} has asked nothing at a gate {gate!r}; `hallmark gates list --all` shows what was")
    return asked[-1].evidence, _governance(asked[-1].evidence), ledger


def _standing(evidence: Evidence, ledger: Ledger) -> Standing:
    return gates.judge(evidence, _governance(evidence), ledger, ledger.now())


class Elsewhere(Refused):
    """A gate that can be judged on another machine alone."""


def _governance(evidence: Evidence) -> Governance:
    """What a gate is judged by. Of a run that is not on this machine these are the files installed here, since what is
    decided here is judged again there.

    Raises Elsewhere where they cannot stand for those there: the policy is another, or keys are each machine's own.
    """
    where = shared.root()
    layout = layout_of(where, evidence.run)
    governed = governance_of(where, layout)
    if is_here(layout):
        return governed
    why = "in environment local keys are each machine's own" if governed.local else "its policy is another than here"
    if governed.local or governed.policy.digest() != evidence.policy_sha256:
        raise Elsewhere(f"run {evidence.run} is not on this machine, and {why}; look and decide where it is")
    return governed


def _decide(run: str, gate: str, who: str | None, verb: Any, reason: str, as_json: bool, **more: Any) -> None:
    evidence, governed, ledger = _find(run, gate)
    person = shared.identity(who)
    entry = decisions.decide(ledger, governed, evidence, person, verb, reason, **more)
    standing = _standing(evidence, ledger)
    if as_json:
        shared.print_json(_row(evidence, standing) | {"ledger_entry": entry.seq})
    else:
        console.print(f"recorded as entry {entry.seq} of the ledger: {person}, {verb}, {gate} gate of run {run}")
        console.print(f"the gate is {standing.state}" + "".join(f"; waits for {w}" for w in standing.waiting_for))
    stopped = _stopped(run)
    if stopped and standing.state in ("waiting", "passed") and all(check.holds for check in standing.checks):
        shared.notice(f"the run has stopped; go on: hallmark run --resume {run}", as_json)
    elif standing.state != "waiting" and not is_here(layout_of(shared.root(), run)):
        shared.notice("the run goes on on the machine where it is", as_json)
    elif standing.state != "waiting" and not stopped and not _wake():
        shared.notice("Prefect is not up here; the run goes on after `hallmark up`", as_json)


def _stopped(run: str) -> bool:
    """Whether the run has ended without passing: a waiver that comes now is too late for it to go on by itself."""
    known = journal.read(shared.root() / ".hallmark", run)
    return known is not None and known.status == "failed"


def _wake() -> bool:
    """Resume decided runs now rather than at the runner's next look; False where Prefect is away."""
    up = server.find(shared.root())
    if up is None:
        return False
    try:
        with client.connected(shared.root(), up):
            from flows.watch import resume_decided

            resume_decided(shared.root())
    except HallmarkError:
        return False
    return True


def _row(evidence: Evidence, standing: Standing) -> dict[str, Any]:
    return {
        "run": evidence.run, "gate": evidence.gate, "requested_by": evidence.requested_by, "demo": evidence.demo,
        **standing.model_dump(mode="json"),
    }  # fmt: skip


def _print(evidence: Evidence, standing: Standing) -> None:
    console.print(f"{evidence.gate} gate of run {evidence.run}, asked for by {evidence.requested_by}: {standing.state}")
    console.print(f"subject: output of {evidence.subject.stage}, SHA-256 {evidence.subject.sha256}")
    checks = Table("check", "verdict", "figure", "value", "wanted", box=None, header_style="bold")
    for check in standing.checks:
        checks.add_row(*_check_cells(check))
    console.print(checks)
    if evidence.dataset:
        datasets.show(evidence.dataset, evidence.change)
    for d in standing.decisions:
        console.print(f"  {d.time:%Y-%m-%d %H:%M} UTC  {d.person} ({d.role}): {d.verb}  {d.reason}")
        if not d.counted:
            console.print(f"    does not count: {d.why_not}")
    for wanted in standing.waiting_for:
        console.print(f"  waits for {wanted}")
    console.print(f"files looked at: {len(evidence.artefacts)} (`--json` lists each with its SHA-256)")


def _check_cells(check: CheckStanding) -> list[str]:
    result = check.result
    value = Fact(value=result.value, low=result.low, high=result.high) if result.value is not None else "absent"
    wanted = f"at least {result.at_least:g}" if result.at_least is not None else f"at most {result.at_most:g}"
    verdict = f"waived by {check.waived_by} until {check.waived_until:%Y-%m-%d}" if check.waived_by else result.verdict
    return [result.name, verdict, result.fact, str(value), f"{result.bound} {wanted}"]
