"""Command `hallmark resolve`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.graph import GATES_VERIFIED_BY_STAGES
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
    """Write inputs/ and the gate files of risk tier `experiment` into this checkout.

    You can then run `dvc repro` by hand. With --params or --set, the command also rewrites params.yaml, because stages
    read that file. A model trained by hand can never be promoted.

    Example: hallmark resolve --set training.epochs=1 && dvc repro train
    """
    here = shared.open_checkout(governance)
    layout, governed = Layout(here.root), here.governance
    before = config.read_yaml_text(layout.params_path)
    checked, text = runs.read_params(layout.root / (params or layout.params_path), shared.parse_changes(changes))
    experiment = checked.model_copy(
        update={"use_case": checked.use_case.model_copy(update={"risk_tier": "experiment"})}
    )
    if params:
        _require_committed_params(layout, before, text)
    whole = commit_tree.read_tree(here.repository, here.repository.commit_snapshot()).sha256
    runs.resolve_run(experiment, here.ledger, governed, layout, whole)
    for gate in GATES_VERIFIED_BY_STAGES:
        statement.write_experiment_statement(layout, gate, governed)
    dvc.configure_dvc(layout)
    if params or changes:
        with shared.hold_editing_lock():
            config.overwrite_if_unchanged(layout.params_path, before, text)
        console.print("params.yaml is written anew; `git diff params.yaml` shows how")
    console.print("resolved: inputs/ and gates/ are written; now `dvc repro`")


def _require_committed_params(layout: Layout, before: str, text: str) -> None:
    changed = any(line.endswith(" params.yaml") for line in Repository.open(layout.root).uncommitted_changes())
    if changed and before != text:
        raise InputError("params.yaml has changes that are not committed, and would be replaced; commit or stash them")
