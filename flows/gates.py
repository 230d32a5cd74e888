"""A gate as a suspended flow run.

The flow writes the evidence, asks, and judges what the ledger holds. While people have not decided, the flow run is
suspended: no process waits. Prefect only wakes it up; whether the gate is open is read from the ledger every time.
"""

from datetime import UTC, datetime
from uuid import uuid4

from prefect import suspend_flow_run, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext

from flows.chronicle import note
from tasks.errors import Refused, Unavailable
from tasks.govern import decisions, evidence, gates, statement
from tasks.govern.evidence import Evidence
from tasks.govern.gates import Standing
from tasks.govern.policy import GateName
from tasks.runs import journal
from tasks.runs.journal import GateLine
from tasks.runs.run import Run

FOR_DAYS = 400 * 24 * 3600
"""Seconds that Prefect lets a run wait; the gate's own deadline, in the ledger's time, ends it before."""


def gate(run: Run, name: GateName) -> None:
    """Let the run pass, suspend it, or stop it. Raises Refused with the account of what stands against it."""
    if name not in run.governance().policy.tier(run.params.use_case.risk_tier).gates:
        return skip(run, name)
    asked = ask(run, name)
    standing = judge(run, asked)
    while standing.state == "waiting":
        park(run, asked, standing)
        standing = judge(run, asked)
    settle(run, asked, standing)


def skip(run: Run, name: GateName) -> None:
    """Tier `experiment` asks nobody; what it makes can never be promoted."""
    statement.write_experiment_gate(run.layout, name, run.governance())
    _line(run, name, GateLine(state="skipped"))


@task(task_run_name="evidence for the {name} gate")
def ask(run: Run, name: GateName) -> Evidence:
    """Write the evidence, put the question on the ledger, and, on a demo run, let the demo identities answer."""
    request, governed, ledger = run.request, run.governance(), run.ledger()
    found = evidence.collect(
        name, run.layout, run.params, governed.policy, run.id, request.requested_by, request.demo_approvals
    )
    evidence.write(found, run.layout)
    gates.ask(ledger, found)
    if request.demo_approvals:
        decisions.decide_demo(ledger, governed, found)
    create_table_artifact(
        [{"check": c.name, "verdict": c.verdict, "figure": c.fact, "value": c.value} for c in found.checks],
        description=f"{name} gate of run {run.id}: its automatic checks",
    )
    return found


def judge(run: Run, asked: Evidence) -> Standing:
    return gates.judge(asked, run.governance(), run.ledger(), datetime.now(UTC))


def park(run: Run, asked: Evidence, standing: Standing) -> None:
    """Commit, say what is waited for, and suspend the flow run; its process ends inside this call."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.deployment_id is None:
        raise Unavailable(f"the {asked.gate} gate waits for {'; '.join(standing.waiting_for)}, and only a deployed "
                          "flow run can wait: start the run with `hallmark run`")  # fmt: skip
    run.commit(f"Ask at the {asked.gate} gate")
    _line(run, asked.gate, GateLine(state="waiting", waiting_for=standing.waiting_for))
    note(run.id, status="waiting")
    create_markdown_artifact(
        f"Run `{run.id}` waits at its **{asked.gate} gate** for {'; '.join(standing.waiting_for)}.\n\n"
        f"Look: `hallmark gates show {run.id} {asked.gate}`, then `hallmark gates approve {run.id} {asked.gate}`.",
        description="what this run waits for",
    )
    # A fresh key: with a fixed one a second suspension returns at once.
    suspend_flow_run(timeout=FOR_DAYS, key=str(uuid4()))


def settle(run: Run, asked: Evidence, standing: Standing) -> None:
    """Write the signed gate statement of a passed gate, or stop the run."""
    if standing.state != "passed":
        _line(run, asked.gate, GateLine(state=standing.state))
        raise Refused(account(run, asked, standing))
    statement.write_gate(run.layout, asked, standing, run.governance())
    gates.close(run.ledger(), asked, standing)
    run.commit(f"Pass the {asked.gate} gate")
    _line(run, asked.gate, GateLine(state="passed", decided_by=standing.decided_by))
    note(run.id, status="running")


def account(run: Run, asked: Evidence, standing: Standing) -> str:
    """Why a gate is not open, check by check."""
    against = [f"  {c.explain()}" for c in standing.checks if c.verdict != "passed"]
    against += [f"  {reason}" for reason in standing.reasons]
    look = f"look: hallmark gates show {run.id} {asked.gate}"
    return "\n".join([f"the {asked.gate} gate is not passed ({standing.state}):", *against, look])


def _line(run: Run, name: GateName, line: GateLine) -> None:
    known = journal.read(run.layout.state, run.id)
    assert known is not None
    note(known, gates=known.gates | {name: line})
