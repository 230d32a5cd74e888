"""`hallmark init`"""

from infra.cli.shared import console, root
from tasks.govern import governance
from tasks.govern.ledger import open_ledger
from tasks.runs.repository import Repository


def init() -> None:
    """Make the local keys, ledger and folders of this checkout. Running it again changes nothing.

    Example: hallmark init
    """
    where = root()
    Repository.open(where)
    governed = governance.load(where / "infra" / "governance", where / ".hallmark")
    governance.initialise(governed.state, governed.people)
    open_ledger(governed.state)
    console.print(f"ready: keys, ledger and state in {governed.state}")
