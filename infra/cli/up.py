"""`hallmark up`"""

from infra.cli.shared import console, root
from infra.prefect import server


def up() -> None:
    """Start the Prefect server and the runner of this checkout on loopback, if they are not up.

    Example: hallmark up
    """
    started = server.start(root(), console.print)
    console.print(f"up: {started.ui} (stop with `hallmark down`)")
