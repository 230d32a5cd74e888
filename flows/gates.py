"""Gates as suspended flow runs.

The flow writes the evidence, opens the gate, and judges it from the ledger. Until people have decided, the flow run is
suspended and no process waits. Prefect only resumes the flow run; the decisions are read from the ledger every time.
"""

from uuid import uuid4

from prefect import suspend_flow_run, task
from prefect.context import FlowRunContext

from flows import artifacts
from flows.lifecycle import show_activity, update_journal
from flows.stages import require_continuable
from tasks.core.errors import Refused, Unavailable
from tasks.declarations import declarations
from tasks.gates import cases, decisions, evidence, gates, passed_evidence, record_chain, statement
from tasks.gates.evidence import Evidence
from tasks.gates.finding_commands import finding_command
from tasks.gates.gates import GateStatus
from tasks.gates.signed_review import FACTS_PREFIX
from tasks.policy import in_force, judge_install
from tasks.registry.release import promotions
from tasks.review import recorded as reviews
from tasks.runs import journal
from tasks.runs.journal import GateState, Journal
from tasks.runs.run import Run
from tasks.trust import gate_statement
from tasks.trust.gate_statement import GateName

MAX_SUSPENSION_SECONDS = 400 * 24 * 3600
"""Maximum time in seconds for which Prefect keeps a flow run suspended. The deadline that policy sets for the gate must
be earlier."""

VOID_GATE_STATE = GateState(state="void")
"""State of a gate that was opened under an earlier policy."""


def pass_gate(run: Run, name: GateName) -> None:
    """Pass a gate, or suspend the run until people have decided.

    Raises:
        Refused: The gate did not pass, or the ledger was changed; the message gives the reasons.
    """
    in_force.require_unchanged_ledger(run.ledger(), run.governance())
    require_same_policy(run)
    judge_install.require_accepted_judge(run.governance().policy)
    run.require_unchanged()
    require_continuable(run)
    if name not in run.governance().policy.tier(run.params.use_case.risk_tier).gates:
        return skip_gate(run, name)
    asked = request_decision(run, name)
    standing = gates.judge_and_close(run.ledger(), run.governance(), asked)
    while standing.state == "waiting" and not has_unwaived_failure(standing):
        suspend_run(run, asked, standing)
        standing = gates.judge_and_close(run.ledger(), run.governance(), asked)
    finish_gate(run, asked, standing)


def require_same_policy(run: Run) -> None:
    """Verify that policy has not changed since the run was resolved.

    If it has changed, the run's open gate is closed in the ledger. A decision at that gate would have no effect,
    because stages accept gate statements only under the policy in inputs/authority.json.

    Raises:
        Refused: Policy has changed.
    """
    before, now = gate_statement.read_authority(run.layout).policy_sha256, run.governance().policy.digest()
    if before == now:
        return
    cases.close_gates_of_run(run.ledger(), run.id, VOID_GATE_STATE.state)
    lines = _read_journal(run).gates
    update_journal(
        run.id, gates={gate: VOID_GATE_STATE if line.state == "waiting" else line for gate, line in lines.items()}
    )
    raise Refused(
        f"policy changed since run {run.id} was resolved ({before[:12]}, now {now[:12]}): decisions on it count no "
        "more; start a new run"
    )


def skip_gate(run: Run, name: GateName) -> None:
    """Write the gate statement of an experiment, which no person has to approve."""
    statement.write_experiment_statement(run.layout, name, run.governance())
    _set_gate_state(run, name, GateState(state="skipped"))


@task(task_run_name="evidence for the {name} gate", persist_result=False)
def request_decision(run: Run, name: GateName) -> Evidence:
    """Write the evidence and open the gate in the ledger. In a demo run, the demo identities decide.

    Returns:
        Evidence as recorded in the ledger, to which decisions refer. If the gate was already open before the run was
            suspended, this is the evidence recorded then.
    """
    demo, ledger, governed = run.request.demo_approvals, run.ledger(), run.governance()
    card = run.params.use_case
    before = passed_evidence.last_passed_evidence(ledger, card.name, demo) if name == "data" else None
    adopted = (
        promotions.read_promotions(ledger, governed, card.name).success_metrics(demo) if name == "evaluation" else None
    )
    with show_activity(run.id, f"collecting evidence for the {name} gate"):
        recorded = record_chain.require_gate_records(name, run.layout, run.id, ledger, governed)
        if name == "release":
            require_agreement(run)
        if name == "data":
            artifacts.score_planted_values(run)
        declared = declarations.declaration_digests(
            declarations.declarations_complied_with(ledger, governed, run.declarations())
        )
        review = reviews.review_for_gate(ledger, governed, run.layout) if name == "evaluation" else None
        collected = evidence.collect_evidence(
            name,
            run.layout,
            run.params,
            governed.policy,
            run.signed_request,
            before,
            adopted,
            recorded,
            declared,
            review,
        )
    asked = gates.open_gate(ledger, collected)
    evidence.write_evidence(asked, run.layout)
    if demo:
        decisions.approve_as_demo_identities(ledger, governed, asked)
    artifacts.show_checks(asked)
    if name == "data":
        artifacts.show_sources(asked)
        artifacts.show_pages(run)
    return asked


def require_agreement(run: Run) -> None:
    """Verify that as many machines as policy requires have computed identical outputs.

    If too few have, the run is pushed to the git remote, so that other machines can compute it as well.

    Raises:
        Refused: Too few machines have computed identical outputs.
    """
    try:
        run.require_agreement()
    except Refused:
        update_journal(run.id, commit=run.commit_files("Wait for other machines to make the same"))
        run.push_to_remotes()
        raise


def has_unwaived_failure(status: GateStatus) -> bool:
    """Return whether a check has failed without a waiver. If so, the run stops instead of waiting for a waiver."""
    return not all(check.holds for check in status.checks)


def suspend_run(run: Run, gate_evidence: Evidence, status: GateStatus) -> None:
    """Commit and push the run, show the decisions that are missing, and suspend the flow run. This ends the process.

    Raises:
        Unavailable: The flow run does not belong to a deployment and therefore cannot be suspended.
    """
    context = FlowRunContext.get()
    wanted = "; ".join(status.waiting_for)
    if context is None or context.flow_run is None or context.flow_run.deployment_id is None:
        raise Unavailable(
            f"the {gate_evidence.gate} gate waits for {wanted}, "
            "and only a deployed flow run can wait: use `hallmark run`"
        )
    update_journal(run.id, commit=run.commit_files(f"Ask at the {gate_evidence.gate} gate"))
    with show_activity(run.id, "pushing what it made"):
        run.push_to_remotes()
    _set_gate_state(run, gate_evidence.gate, GateState(state="waiting", waiting_for=status.waiting_for))
    update_journal(run.id, status="waiting")
    artifacts.show_waiting(run, gate_evidence, wanted)
    # A new key each time: with a fixed one the second suspension returns at once.
    suspend_flow_run(timeout=MAX_SUSPENSION_SECONDS, key=str(uuid4()))


def finish_gate(run: Run, gate_evidence: Evidence, status: GateStatus) -> None:
    """Write the signed gate statement of a passed gate, or stop the run.

    Raises:
        Refused: The gate did not pass.
    """
    if status.state != "passed":
        commit = run.commit_files(f"Stop at the {gate_evidence.gate} gate")
        _set_gate_state(run, gate_evidence.gate, GateState(state=status.state, waiting_for=status.waiting_for))
        update_journal(run.id, commit=commit)
        raise Refused(failure_message(gate_evidence, status, _is_replaced(run, gate_evidence)))
    statement.write_gate_statement(run.layout, gate_evidence, status, run.governance())
    commit = run.commit_files(f"Pass the {gate_evidence.gate} gate")
    people = [d.person for d in status.decisions if d.counted and d.verb in ("approve", "waive")]
    _set_gate_state(run, gate_evidence.gate, GateState(state="passed", decided_by=list(dict.fromkeys(people))))
    update_journal(run.id, status="running", commit=commit)


def _is_replaced(run: Run, gate_evidence: Evidence) -> bool:
    closing = cases.current_case(run.ledger(), gate_evidence).closing_entry
    return closing is not None and closing.body.get("state") == cases.REPLACED_STATE


def failure_message(gate_evidence: Evidence, status: GateStatus, is_replaced: bool = False) -> str:
    """Return the reasons why a gate did not pass, one per line, and the commands that show what is behind them."""
    against = ["  a newer run of its schedule or trigger took its place"] * is_replaced
    against += [f"  {missing}" for missing in status.waiting_for]
    against += [f"  {d.person} rejected: {d.reason}" for d in status.decisions if d.counted and d.verb == "reject"]
    commands = [finding_command(c.result.fact, gate_evidence.run) for c in status.checks if not c.holds]
    against += [f"  what is behind it: {command}" for command in dict.fromkeys(filter(None, commands))]
    look = f"look: hallmark gates show {gate_evidence.run} {gate_evidence.gate}"
    needs_review = any(c.result.fact.startswith(FACTS_PREFIX) for c in status.checks if not c.holds)
    if status.state == "waiting" or needs_review:
        after = "a review" if needs_review else "a waiver"
        look += f"; after {after}: hallmark run --resume {gate_evidence.run}"
    return "\n".join([f"the {gate_evidence.gate} gate did not pass:", *against, look])


def _set_gate_state(run: Run, name: GateName, state: GateState) -> None:
    update_journal(run.id, gates=_read_journal(run).gates | {name: state})


def _read_journal(run: Run) -> Journal:
    known = journal.read_journal(run.layout.state, run.id)
    assert known is not None, "a run's journal is made before its first stage"
    return known
