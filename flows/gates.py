"""Gates as suspended flow runs.

The flow writes the evidence, asks at the gate, and judges it by what the ledger holds. While people have not decided,
the flow run is suspended and no process waits. Prefect only resumes the flow run; whether the gate is open is read from
the ledger every time.
"""

from uuid import uuid4

from prefect import suspend_flow_run, task
from prefect.context import FlowRunContext

from flows import artifacts
from flows.lifecycle import doing, note
from flows.stages import with_its_sources
from tasks.core.errors import Refused, Unavailable
from tasks.declarations import declarations
from tasks.gates import approved, cases, chain, decisions, evidence, gates, statement
from tasks.gates.evidence import Evidence
from tasks.gates.gates import Standing
from tasks.policy import judge
from tasks.registry.release import promotions
from tasks.runs import journal
from tasks.runs.journal import GateLine, Journal
from tasks.runs.run import Run
from tasks.trust import gate_statement
from tasks.trust.gate_statement import GateName

FOR_DAYS = 400 * 24 * 3600
"""Seconds for which Prefect lets a flow run wait; the gate's own deadline, in the ledger's time, is earlier."""

VOID = GateLine(state="void")
"""State of a gate that asked under a policy which has changed since."""


def gate(run: Run, name: GateName) -> None:
    """Let the run pass a gate, suspend it, or stop it.

    Raises:
        Refused: The gate did not pass; the message gives the reasons.
    """
    under_its_policy(run)
    judge.require(run.governance().policy)
    run.as_asked()
    with_its_sources(run)
    if name not in run.governance().policy.tier(run.params.use_case.risk_tier).gates:
        return skip(run, name)
    asked = ask(run, name)
    standing = gates.settle(run.ledger(), run.governance(), asked)
    while standing.state == "waiting" and not failing(standing):
        park(run, asked, standing)
        standing = gates.settle(run.ledger(), run.governance(), asked)
    settle(run, asked, standing)


def under_its_policy(run: Run) -> None:
    """Verify that policy has not changed since the run was resolved.

    If it has, the run's open gate is closed on the ledger. No decision could help then, because stages accept gate
    statements only under the policy in inputs/authority.json.

    Raises:
        Refused: Policy has changed.
    """
    before, now = gate_statement.read_authority(run.layout).policy_sha256, run.governance().policy.digest()
    if before == now:
        return
    cases.close_open(run.ledger(), run.id, VOID.state)
    lines = _known(run).gates
    note(run.id, gates={gate: VOID if line.state == "waiting" else line for gate, line in lines.items()})
    raise Refused(
        f"policy changed since run {run.id} was resolved ({before[:12]}, now {now[:12]}): decisions on it count no "
        "more; start a new run"
    )


def skip(run: Run, name: GateName) -> None:
    """Write the gate statement of a run in tier `experiment`, where nobody decides and nothing can be promoted."""
    statement.write_experiment_gate(run.layout, name, run.governance())
    _line(run, name, GateLine(state="skipped"))


@task(task_run_name="evidence for the {name} gate", persist_result=False)
def ask(run: Run, name: GateName) -> Evidence:
    """Write the evidence, ask at the gate on the ledger, and on a demo run let the demo identities decide.

    Returns:
        Evidence on record, to which decisions bind; after a resume that is the earlier evidence.
    """
    demo, ledger, governed = run.request.demo_approvals, run.ledger(), run.governance()
    card = run.params.use_case
    before = approved.last(ledger, card.name, demo) if name == "data" else None
    adopted = promotions.read(ledger, governed, card.name).adopted(demo) if name == "evaluation" else None
    with doing(run.id, f"collecting evidence for the {name} gate"):
        recorded = chain.require(name, run.layout, run.id, ledger, governed)
        if name == "release":
            agreed(run)
        if name == "data":
            artifacts.drill(run)
        declared = declarations.digests(declarations.kept(ledger, governed, run.declared()))
        collected = evidence.collect(
            name, run.layout, run.params, governed.policy, run.asked, before, adopted, recorded, declared
        )
    asked = gates.ask(ledger, collected)
    evidence.write(asked, run.layout)
    if demo:
        decisions.decide_demo(ledger, governed, asked)
    artifacts.checks(asked)
    if name == "data":
        artifacts.sources(asked)
        artifacts.pages(run)
    return asked


def agreed(run: Run) -> None:
    """Verify that as many machines as policy demands have computed the same outputs.

    If too few have, the run is pushed, so that other machines find it.

    Raises:
        Refused: Too few machines have computed the same outputs.
    """
    try:
        run.require_agreed()
    except Refused:
        note(run.id, commit=run.commit("Wait for other machines to make the same"))
        run.push()
        raise


def failing(standing: Standing) -> bool:
    """Return whether a check has failed that nobody has waived; the run then stops instead of waiting for a waiver."""
    return not all(check.holds for check in standing.checks)


def park(run: Run, asked: Evidence, standing: Standing) -> None:
    """Commit and push the run, show what it waits for, and suspend the flow run, which ends this process.

    Raises:
        Unavailable: This is not a flow run of a deployment; no other can wait.
    """
    context = FlowRunContext.get()
    wanted = "; ".join(standing.waiting_for)
    if context is None or context.flow_run is None or context.flow_run.deployment_id is None:
        raise Unavailable(
            f"the {asked.gate} gate waits for {wanted}, and only a deployed flow run can wait: use `hallmark run`"
        )
    note(run.id, commit=run.commit(f"Ask at the {asked.gate} gate"))
    with doing(run.id, "pushing what it made"):
        run.push()
    _line(run, asked.gate, GateLine(state="waiting", waiting_for=standing.waiting_for))
    note(run.id, status="waiting")
    artifacts.waits(run, asked, wanted)
    # A new key each time: with a fixed one the second suspension returns at once.
    suspend_flow_run(timeout=FOR_DAYS, key=str(uuid4()))


def settle(run: Run, asked: Evidence, standing: Standing) -> None:
    """Write the signed gate statement of a passed gate, or stop the run.

    Raises:
        Refused: The gate did not pass.
    """
    if standing.state != "passed":
        commit = run.commit(f"Stop at the {asked.gate} gate")
        _line(run, asked.gate, GateLine(state=standing.state, waiting_for=standing.waiting_for))
        note(run.id, commit=commit)
        raise Refused(account(asked, standing))
    statement.write_gate(run.layout, asked, standing, run.governance())
    commit = run.commit(f"Pass the {asked.gate} gate")
    people = [d.person for d in standing.decisions if d.counted and d.verb in ("approve", "waive")]
    _line(run, asked.gate, GateLine(state="passed", decided_by=list(dict.fromkeys(people))))
    note(run.id, status="running", commit=commit)


def account(asked: Evidence, standing: Standing) -> str:
    """Return why a gate did not pass, one reason a line, and the command that shows it."""
    against = [f"  {missing}" for missing in standing.waiting_for]
    against += [f"  {d.person} rejected: {d.reason}" for d in standing.decisions if d.counted and d.verb == "reject"]
    look = f"look: hallmark gates show {asked.run} {asked.gate}"
    if standing.state == "waiting":
        look += f"; after a waiver: hallmark run --resume {asked.run}"
    return "\n".join([f"the {asked.gate} gate did not pass:", *against, look])


def _line(run: Run, name: GateName, line: GateLine) -> None:
    note(run.id, gates=_known(run).gates | {name: line})


def _known(run: Run) -> Journal:
    known = journal.read(run.layout.state, run.id)
    assert known is not None, "a run's journal is made before its first stage"
    return known
