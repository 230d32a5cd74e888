"""`hallmark down`"""

from infra.cli.shared import console, root
from infra.prefect import server


def down() -> None:
    """Stop the Prefect server and the runner that `hallmark up` or `hallmark run` started.

    A run in progress is interrupted and goes on with the next `hallmark up`; parked runs keep waiting.

    Example: hallmark down
    """
    console.print("stopped" if server.stop(root()) else "nothing was up")
