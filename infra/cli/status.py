"""Command `hallmark status`."""

from infra.cli import runs, shared
from infra.cli.shared import console
from infra.prefect import server, watch_status
from tasks.runs import journal


def status(as_json: shared.Json = False) -> None:
    """Show whether Prefect and the watch are running, and the state of all runs.

    `hallmark runs show` shows one run in full.

    Example: hallmark status
    """
    root = shared.checkout_root()
    if not as_json:
        up = server.find(root)
        console.print(f"Prefect: {up.ui_url if up else 'not up (hallmark up)'}")
        console.print(f"watch: {watch_status.read_watch_status(root).description}", markup=False, highlight=False)
    runs.print_runs(journal.read_journals(root / ".hallmark"), as_json)
