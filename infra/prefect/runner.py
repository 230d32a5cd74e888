"""The process that executes flow runs: `python -I -m infra.prefect.runner`, in the checkout it serves."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from prefect.logging import get_logger
from prefect.runner import Runner

from flows import deployed
from flows.lifecycle import root
from flows.occasions import Occasions
from flows.parked import Parked
from flows.partly import Partly
from flows.retrain import retrain
from flows.watch import publish_heads, revive_orphans, time_passes
from infra.prefect import notify
from tasks.core.errors import HallmarkError
from tasks.core.shown import guard_logs
from tasks.ledger.ledger import open_ledger
from tasks.occasions import standing
from tasks.runs.run import installed_governance

RUNS = 5
"""Executed at once where nobody said; Prefect's own limit."""
POLL_SECONDS = 1.0
"""Prefect's own default of 10 s would be most of the time from a decision to the run going on."""
DECIDED_SECONDS = 0.5
"""How often the ledger is asked for new decisions."""
HEAD_SECONDS = 10.0
"""How often a head of the ledger is published where it grew. Beside the watch over runs: a place that is away keeps
nobody waiting."""
NEWS_SECONDS = 5.0
OCCASION_SECONDS = 2.0
"""How often schedules and triggers are looked at: a time counts to the second, and a look that finds nothing takes a
millisecond or two."""
TIME_SECONDS = 60.0
"""Deadlines, reminders and expiries are counted in hours and days."""


async def serve() -> None:
    """Serve the retrain deployment and watch parked runs until told to stop."""
    limit = await asyncio.to_thread(at_once, root())
    runner = Runner(name="hallmark", query_seconds=POLL_SECONDS, pause_on_shutdown=False, limit=limit)
    # As a flow, and not as a deployment, so that what the server says of code, paths and steps is never followed.
    await runner.aadd_flow(retrain, deployed.name(root()), description="One governed run, from sources to release.")
    for run_id in await asyncio.to_thread(revive_orphans, root()):
        get_logger("hallmark").warning("run %s goes on: its process was gone", run_id)
    watching = [
        asyncio.create_task(every(DECIDED_SECONDS, "goes on, its gate is decided", Parked(root()).resume_decided)),
        asyncio.create_task(every(TIME_SECONDS, "time has passed", time_passes)),
        asyncio.create_task(every(HEAD_SECONDS, "ledger", publish_heads)),
        asyncio.create_task(every(OCCASION_SECONDS, "asked for", Occasions(root()).look)),
        asyncio.create_task(every(NEWS_SECONDS, "told", notify.deliver)),
    ]
    try:
        await runner.start()
    finally:
        for task in watching:
            task.cancel()


def at_once(root: Path) -> int:
    """How many runs are executed at once, as it is in force now."""
    try:
        in_force = standing.read(open_ledger(root / ".hallmark"), installed_governance(root, None))
    except HallmarkError:  # it is told by whatever needs it
        return RUNS
    return in_force.deployments.concurrency or RUNS


async def every(seconds: float, what: str, work: Callable[[Path], list[str]]) -> None:
    """Do `work` again and again, beside the runs; what fails is tried again."""
    log, problems = get_logger("hallmark"), set[str]()
    while True:
        await asyncio.sleep(seconds)
        try:
            done, failed = await asyncio.to_thread(work, root()), list[str]()
        except Partly as error:
            done, failed = error.done, error.failed
        except Exception as error:
            done, failed = [], [str(error)]
        for line in done:
            log.info("%s: %s", what, line)
        for reason in failed:
            if reason not in problems:  # once, not at every try
                log.warning("%s: %s; trying again every %g s", work.__name__, reason, seconds)
        problems = set(failed)


if __name__ == "__main__":
    guard_logs()
    asyncio.run(serve())
