"""`hallmark down`"""

from infra.cli.shared import console, root
from infra.prefect import server


def down() -> None:
    """Stop the Prefect server and the runner of this checkout.

    A run in progress goes on with the next `hallmark up`. Parked runs keep waiting.

    Example: hallmark down
    """
    console.print("stopped" if server.stop(root()) else "nothing was up")
