"""A gate as a suspended flow run.

The flow writes the evidence, asks, and judges what the ledger holds. While people have not decided, the flow run is
suspended: no process waits. Prefect only wakes it up; whether the gate is open is read from the ledger every time.
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
"""Seconds that Prefect lets a run wait; the gate's own deadline, in the ledger's time, ends it before."""

VOID = GateLine(state="void")
"""A gate that was asked under a policy which has changed since."""


def gate(run: Run, name: GateName) -> None:
    """Let the run pass, suspend it, or stop it. Raises Refused with the account of what stands against it."""
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
    """Raises Refused where policy changed since the run was resolved, and closes in the ledger what it had asked.

    The stages accept gate statements under the policy in inputs/authority.json alone, so no decision could help.
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
    """Tier `experiment` asks nobody; what it makes can never be promoted."""
    statement.write_experiment_gate(run.layout, name, run.governance())
    _line(run, name, GateLine(state="skipped"))


@task(task_run_name="evidence for the {name} gate", persist_result=False)
def ask(run: Run, name: GateName) -> Evidence:
    """Write the evidence, put the question on the ledger, and, on a demo run, let the demo identities answer.

    Returns the evidence on record, which decisions bind to; after a resume that is the one asked about before.
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
    """Raises Refused where policy asks for more machines that make the same of the run; what it made is where these
    find it."""
    try:
        run.require_agreed()
    except Refused:
        note(run.id, commit=run.commit("Wait for other machines to make the same"))
        run.push()
        raise


def failing(standing: Standing) -> bool:
    """Whether a check has failed that nobody has waived: the run stops then, rather than wait for a waiver."""
    return not all(check.holds for check in standing.checks)


def park(run: Run, asked: Evidence, standing: Standing) -> None:
    """Commit, push, say what is waited for, and suspend the flow run; its process ends inside this call."""
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
    # A fresh key: with a fixed one a second suspension returns at once.
    suspend_flow_run(timeout=FOR_DAYS, key=str(uuid4()))


def settle(run: Run, asked: Evidence, standing: Standing) -> None:
    """Write the signed gate statement of a passed gate, or stop the run."""
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
    """Why a gate did not pass, line by line, and where to look."""
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
