"""Command `hallmark status`."""

from infra.cli import runs, shared
from infra.cli.shared import console
from infra.prefect import server, watch_status
from tasks.runs import journal


def status(as_json: shared.Json = False) -> None:
    """Show whether Prefect and the watch are up, and the state of all runs. `hallmark runs show` shows one run in full.

    Example: hallmark status
    """
    root = shared.checkout_root()
    if not as_json:
        up = server.find(root)
        console.print(f"Prefect: {up.ui if up else 'not up (hallmark up)'}")
        console.print(f"watch: {watch_status.read(root).words}", markup=False, highlight=False)
    runs.print_runs(journal.read_all(root / ".hallmark"), as_json)
