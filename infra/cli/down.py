"""`hallmark down`"""

from infra.cli.shared import console, root
from infra.prefect import server
from tasks.runs import journal


def down() -> None:
    """Stop the Prefect server and the runner of this checkout.

    A run in progress goes on with the next `hallmark up`. Parked runs keep waiting.

    Example: hallmark down
    """
    where = root()
    going = [known.run for known in journal.read_all(where / ".hallmark") if known.status == "running"]
    console.print("stopped" if server.stop(where) else "nothing was up")
    for run in going:
        console.print(f"run {run} goes on with the next `hallmark up`")
