"""The process that executes flow runs: `python -I -m infra.prefect.runner`, in the checkout it serves."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import util
from pathlib import Path

from prefect.logging import get_logger
from prefect.runner import Runner

from flows import deployed
from flows.lifecycle import root
from flows.retrain import retrain
from flows.watch import revive_orphans
from infra.prefect import access
from tasks.core.errors import HallmarkError
from tasks.core.shown import guard_logs
from tasks.ledger.ledger import open_ledger
from tasks.occasions import standing
from tasks.runs.run import installed_governance

RUNS = 5
"""Executed at once where nobody said; Prefect's own limit."""
POLL_SECONDS = 1.0
"""Prefect's own default of 10 s would be most of the time from a decision to the run going on."""


async def serve() -> None:
    """Serve the retrain deployment until told to stop; first have those go on that a killed runner left."""
    limit = await asyncio.to_thread(at_once, root())
    with storage_in(access.folder(root())):
        runner = Runner(name="hallmark", query_seconds=POLL_SECONDS, pause_on_shutdown=False, limit=limit)
    # As a flow, and not as a deployment, so that what the server says of code, paths and steps is never followed.
    await runner.aadd_flow(retrain, deployed.name(root()), description="One governed run, from sources to release.")
    for run_id in await asyncio.to_thread(revive_orphans, root()):
        get_logger("hallmark").warning("run %s goes on: its process was gone", run_id)
    await runner.start()


@contextmanager
def storage_in(folder: Path) -> Iterator[None]:
    """Have Prefect keep a runner's storage in a folder of this checkout.

    It takes `runner_storage` in the temporary folder, which all users of a machine share: whoever makes it first keeps
    everybody else's runner from starting.
    """
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def at_once(root: Path) -> int:
    """How many runs are executed at once, as it is in force now."""
    try:
        in_force = standing.read(open_ledger(root / ".hallmark"), installed_governance(root, None))
    except HallmarkError:  # it is told by whatever needs it
        return RUNS
    return in_force.deployments.concurrency or RUNS


def keep_bytecode_apart() -> None:
    """`multiprocessing`, which starts flow runs, hands on how this Python was started, but not where it keeps bytecode.
    A flow run would then run what lies beside a source in place of it."""
    flags = util._args_from_interpreter_flags()  # type: ignore[attr-defined]
    flags += ["-X", f"pycache_prefix={sys.pycache_prefix}"] * (sys.pycache_prefix is not None)
    util._args_from_interpreter_flags = lambda: flags  # type: ignore[attr-defined]


if __name__ == "__main__":
    guard_logs()
    keep_bytecode_apart()
    asyncio.run(serve())
