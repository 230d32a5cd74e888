"""`hallmark init`"""

from infra.cli.shared import console, root
from tasks.govern import governance
from tasks.runs.repository import Repository


def init() -> None:
    """Make the local keys, ledger and folders of this checkout. Running it again changes nothing.

    Example: hallmark init
    """
    where = root()
    Repository.open(where)
    made = governance.initialise(where / "infra" / "governance", where / ".hallmark")
    if made:
        console.print(f"made keys for {', '.join(made)} in .hallmark/keys")
    else:
        console.print("all there: .hallmark")
