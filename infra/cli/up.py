"""`hallmark up`"""

from pathlib import Path

from flows import deployed
from infra.cli.shared import console, root
from infra.console import server as pages
from infra.prefect import server
from tasks.core.errors import InputError
from tasks.sources import sources


def up() -> None:
    """Start the Prefect server, runner, watch and console of this checkout on loopback, if they are not up.

    Example: hallmark up
    """
    where = root()
    started = server.start(where, console.print, also=_read_from(where))
    console.print(f"up: {started.ui} (stop with `hallmark down`)")
    if secret := started.asks_for(where):
        console.print(f"its pages ask for a secret once, at {started.ui}: {secret}")
    console.print(f"deployment: {deployed.full_name(where)}")
    console.print(f"console: {pages.start(where, console.print).origin}")


def _read_from(where: Path) -> set[str]:
    """The variables that the checkout's sources are found by; none while sources.yaml is being edited."""
    try:
        return sources.variables(sources.load(where / "infra" / "governance").sources)
    except InputError:
        return set()
