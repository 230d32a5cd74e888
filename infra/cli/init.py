"""`hallmark init`"""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.shared import console, root
from tasks.govern import governance as rules
from tasks.govern.ledger import open_ledger
from tasks.runs.repository import Repository
from tasks.runs.run import installed_governance


def init(
    governance: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Make keys for these people too; in environment local only."),
    ] = None,
) -> None:
    """Make the local keys, ledger and folders of this checkout. Running it again changes nothing.

    Example: hallmark init
    """
    where = root()
    Repository.open(where)
    for proposed in (None, str(governance)) if governance else (None,):
        governed = installed_governance(where, proposed)
        rules.initialise(governed.state, governed.people)
    open_ledger(governed.state)
    console.print(f"ready: keys, ledger and state in {governed.state}")
