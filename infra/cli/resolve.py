"""Command `hallmark resolve`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.graph import GATES_BEFORE_STAGES
from tasks.core.layout import Layout
from tasks.gates import statement
from tasks.runs.git import commit_tree
from tasks.runs.git.repository import Repository
from tasks.runs.outputs import dvc
from tasks.runs.requests import resolution as runs


def resolve(
    params: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Params file of the use case. It becomes the checkout's.")
    ] = None,
    governance: shared.Governance = None,
    changes: shared.Changes = None,
) -> None:
    """Write inputs/ and the gate files of risk tier `experiment` into this checkout, to run `dvc repro` by hand.

    With --params or --set, the command also rewrites params.yaml, because stages read that file. A model trained by
    hand can never be promoted.

    Example: hallmark resolve --set training.epochs=1 && dvc repro train
    """
    here = shared.open_checkout(governance)
    layout, governed = Layout(here.root), here.governance
    before = config.read_text(layout.params)
    checked, text = runs.read_params(layout.root / (params or layout.params), shared.parse_changes(changes))
    experiment = checked.model_copy(
        update={"use_case": checked.use_case.model_copy(update={"risk_tier": "experiment"})}
    )
    if params:
        _refuse_loss(layout, before, text)
    whole = commit_tree.read(here.repository, here.repository.snapshot()).sha256
    runs.resolve(experiment, here.ledger, governed, layout, whole)
    for gate in GATES_BEFORE_STAGES:
        statement.write_experiment_gate(layout, gate, governed)
    dvc.configure(layout)
    if params or changes:
        with shared.editing_lock():
            config.replace_text(layout.params, before, text)
        console.print("params.yaml is written anew; `git diff params.yaml` shows how")
    console.print("resolved: inputs/ and gates/ are written; now `dvc repro`")


def _refuse_loss(layout: Layout, before: str, text: str) -> None:
    changed = any(line.endswith(" params.yaml") for line in Repository.open(layout.root).uncommitted_changes())
    if changed and before != text:
        raise InputError("params.yaml has changes that are not committed, and would be replaced; commit or stash them")
