"""A governed run from sources to production, with every stage and gate for real, and no Prefect to wait for.

For what comes after a run. How a run gets there is tested in tests/e2e and tests/flows.
"""

from pathlib import Path

from tasks.core.graph import STEPS, Gate
from tasks.gates import cases, chain, decisions, evidence, gates, statement
from tasks.inquiry.lineage import build
from tasks.registry.promote import promotion
from tasks.runs import records, stage
from tasks.runs.dvc import StageOutcome
from tasks.runs.run import Run
from tests.tiny_project import create

RUN = "20260101-000000-abcd"
PEOPLE = {"data": "data-owner", "evaluation": "product-owner", "release": "risk-officer"}


def promote(project: Path) -> Run:
    """The run once its release is champion."""
    run = passed(project)
    build.add(run.layout, run.params.use_case.name)
    commit = run.commit("Gates passed; ready for promotion")
    promotion.promote(run.layout, run.id, commit, run.ledger(), run.governance())
    return run


def passed(project: Path) -> Run:
    """The run behind its last gate."""
    run = create(project, RUN)
    for step in STEPS:
        if isinstance(step, Gate):
            pass_gate(run, step.name)
        else:
            for name in step.runs:
                bring(run, name)
    return run


def bring(run: Run, name: str) -> StageOutcome:
    """A stage, and its record on the ledger."""
    ledger, governance = run.ledger(), run.governance()
    known = chain.of_run(ledger, governance, run.id).get(name)
    outcome = stage.bring(run.layout, name, stage.worker(governance, ledger), lambda _: None, known)
    records.stage(ledger, run.layout, run.id, outcome)
    return outcome


def pass_gate(run: Run, gate: str) -> None:
    ledger, governance = run.ledger(), run.governance()
    recorded = chain.require(gate, run.layout, run.id, ledger, governance)
    found = evidence.collect(gate, run.layout, run.params, governance.policy, run.asked, recorded=recorded)
    asked = cases.ask(ledger, found)
    evidence.write(asked, run.layout)
    decisions.decide(ledger, governance, asked, PEOPLE[gate], "approve", "looked at it")
    statement.write_gate(run.layout, asked, gates.settle(ledger, governance, asked), governance)
