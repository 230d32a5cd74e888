"""Governed run from sources to production, with real stages and gates, without Prefect.

It is for tests of what follows a run. The run itself is tested in tests/e2e and tests/flows.
"""

from pathlib import Path

from tasks.core.graph import GATES, STEPS, Gate
from tasks.gates import cases, decisions, evidence, gates, passed_evidence, record_chain, statement
from tasks.gates.evidence import Evidence
from tasks.inquiry.lineage import indexing
from tasks.registry.promote import promotion
from tasks.registry.release import promotions
from tasks.runs import run_entries, stage
from tasks.runs.outputs.dvc import StageOutcome
from tasks.runs.run import Run
from tasks.trust.gate_statement import GateName
from tests.tiny_project import create

RUN = "20260101-000000-abcd"
PEOPLE = {**dict.fromkeys(GATES, "risk-officer"), "data": "data-owner", "evaluation": "product-owner"}


def promote(run: Run) -> Run:
    """Promote the release of a run that has passed its last gate, and return the run."""
    indexing.add_dataset(run.layout, run.params.use_case.name)
    commit = run.commit_files("Gates passed; ready for promotion")
    promotion.promote(run.layout, run.id, commit, run.ledger(), run.governance())
    return run


def passed(project: Path) -> Run:
    """Create a run, take it through all stages and gates, and return it."""
    run = create(project, RUN)
    for step in STEPS:
        if isinstance(step, Gate):
            pass_gate(run, step.name)
        else:
            for name in step.dvc_names:
                bring(run, name)
    return run


def bring(run: Run, name: str) -> StageOutcome:
    """Execute a stage, or take it from the stage cache, and enter its record in the ledger."""
    ledger, governance = run.ledger(), run.governance()
    known = record_chain.records_of_run(ledger, governance, run.id).get(name)
    outcome = stage.provide_outputs(run.layout, name, stage.load_worker_keys(governance, ledger), lambda _: None, known)
    run_entries.record_stage(ledger, run.layout, run.id, outcome)
    return outcome


def pass_gate(run: Run, gate: GateName) -> None:
    ledger, governance = run.ledger(), run.governance()
    asked = ask(run, gate)
    evidence.write_evidence(asked, run.layout)
    decisions.decide(ledger, governance, asked, PEOPLE[gate], "approve", "looked at it")
    statement.write_gate_statement(run.layout, asked, gates.judge_and_close(ledger, governance, asked), governance)


def ask(run: Run, gate: GateName) -> Evidence:
    """Open a gate in the ledger, as flows.gates does."""
    ledger, governance, name = run.ledger(), run.governance(), run.params.use_case.name
    recorded = record_chain.require_gate_records(gate, run.layout, run.id, ledger, governance)
    before = passed_evidence.last_passed_evidence(ledger, name, False) if gate == "data" else None
    adopted = (
        promotions.read_promotions(ledger, governance, name).success_metrics(False) if gate == "evaluation" else None
    )
    params, policy = run.params, governance.policy
    return cases.open_gate(
        ledger,
        evidence.collect_evidence(gate, run.layout, params, policy, run.signed_request, before, adopted, recorded),
    )
