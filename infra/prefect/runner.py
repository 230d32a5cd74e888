"""Runner: the process that executes the flow runs of a checkout. It is started in the checkout.

Its command line is `python -I -m hallmark.process infra.prefect.runner`.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import util
from pathlib import Path

from prefect.logging import get_logger
from prefect.runner import Runner

from flows import deployment_names
from flows.crashed_runs import record_deaths
from flows.lifecycle import checkout_root
from flows.retrain import retrain
from flows.watch import reschedule_orphans
from infra.logs.lines import RUN_ATTRIBUTE
from infra.logs.uncaught import log_uncaught_exceptions
from infra.prefect import access
from infra.prefect.periodic import run_periodically
from infra.prefect.revival import CHECK_SECONDS, revive_dead
from infra.prefect.server import REVIVED_OPTION
from tasks.core.errors import HallmarkError
from tasks.core.escaping import escape_logs
from tasks.runs.checkout import Checkout
from tasks.scheduling import deployments_in_force

DEFAULT_CONCURRENCY = 5
"""Default number of flow runs that are executed in parallel, which is Prefect's own default."""
POLL_SECONDS = 1.0
"""Seconds between two requests to Prefect for flow runs.

With Prefect's default of 10 s, most of the time between a decision and the resumed run would be spent waiting for the
runner.
"""


async def serve() -> None:
    """Serve the deployment of the flow `retrain` until stopped.

    Flow runs that a killed runner left unfinished are resumed first.
    """
    limit = await asyncio.to_thread(concurrency_limit, checkout_root())
    with prefect_storage_in(access.prefect_folder(checkout_root())):
        runner = Runner(name="hallmark", query_seconds=POLL_SECONDS, pause_on_shutdown=False, limit=limit)
    # Added as a flow, not as a deployment, so that the runner never follows code, paths and steps from the server.
    await runner.aadd_flow(
        retrain,
        deployment_names.runner_deployment_name(checkout_root()),
        description="One governed run, from sources to release.",
        tags=deployment_names.TAGS,
    )
    orphans = await asyncio.to_thread(reschedule_orphans, checkout_root())
    for run_id in orphans:
        get_logger("hallmark").warning("run %s goes on: its process was gone", run_id, extra={RUN_ATTRIBUTE: run_id})
    if REVIVED_OPTION in sys.argv:
        await asyncio.to_thread(record_deaths, checkout_root(), orphans)
    async with asyncio.TaskGroup() as group:
        caring = group.create_task(run_periodically(CHECK_SECONDS, "had died and is started again", revive_dead))
        await runner.start()
        caring.cancel()


@contextmanager
def prefect_storage_in(folder: Path) -> Iterator[None]:
    """Make Prefect keep a runner's storage in a folder of this checkout.

    By default, Prefect uses `runner_storage` in the temporary folder, which all users of a machine share. The user who
    creates that folder first would prevent the runners of all others from starting.
    """
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def concurrency_limit(root: Path) -> int:
    try:
        here = Checkout(root)
        in_force = deployments_in_force.read_deployments(here.ledger, here.governance)
    except HallmarkError:  # reported by the commands that need governance or ledger
        return DEFAULT_CONCURRENCY
    return in_force.deployments.concurrency or DEFAULT_CONCURRENCY


def pass_on_bytecode_cache() -> None:
    """Make the processes of flow runs use the runner's bytecode cache.

    `multiprocessing` passes on most options of the interpreter, but not `pycache_prefix`. Without this option, a flow
    run would execute the bytecode file next to a source file instead of the source.
    """
    flags = util._args_from_interpreter_flags()  # type: ignore[attr-defined]
    flags += ["-X", f"pycache_prefix={sys.pycache_prefix}"] * (sys.pycache_prefix is not None)
    util._args_from_interpreter_flags = lambda: flags  # type: ignore[attr-defined]


if __name__ == "__main__":
    escape_logs()
    log_uncaught_exceptions()
    pass_on_bytecode_cache()
    asyncio.run(serve())
