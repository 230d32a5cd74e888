"""`hallmark resolve`"""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.shared import console, root
from tasks.govern import statement
from tasks.govern.ledger import open_ledger
from tasks.layout import Layout
from tasks.runs import dvc
from tasks.runs import resolve as runs
from tasks.runs.run import installed_governance


def resolve(
    governance: Annotated[Path | None, typer.Option(metavar="DIR", help="Other governance files.")] = None,
) -> None:
    """Write inputs/ and the gate files of risk tier `experiment` into this checkout, for `dvc repro` by hand.

    What is made by hand can never be promoted.

    Example: hallmark resolve && dvc repro train
    """
    layout = Layout(root())
    governed = installed_governance(layout.root, str(governance) if governance else None)
    checked, _ = runs.read_params(layout.params, {})
    experiment = checked.model_copy(
        update={"use_case": checked.use_case.model_copy(update={"risk_tier": "experiment"})}
    )
    runs.resolve(experiment, governed, open_ledger(layout.state), layout)
    for gate in ("data", "evaluation"):
        statement.write_experiment_gate(layout, gate, governed)
    dvc.configure(layout)
    console.print("resolved: inputs/ and gates/ are written; now `dvc repro`")
