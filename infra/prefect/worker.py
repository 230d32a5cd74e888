"""Worker of a work pool, which executes flow runs of the pool in the checkout that it serves.

Its command line is `python -I -m hallmark.process infra.prefect.worker POOL`. Prefect's own worker would execute the
command, the code and the environment that a pool, a deployment or a flow run specifies, and every client of Prefect's
API can change these. This worker takes only the id of a flow run from Prefect, and executes the flow that is installed
here.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import psutil
from prefect.logging import get_logger
from prefect.workers.base import BaseJobConfiguration, BaseWorker, BaseWorkerResult

from flows import deployment_names
from flows.lifecycle import checkout_root
from infra.logs.uncaught import log_uncaught_exceptions
from infra.prefect import access
from infra.prefect.runner import DEFAULT_CONCURRENCY
from infra.processes import HALLMARK_PROCESS, isolated_python, wait_then_kill
from tasks.core.escaping import escape_logs
from tasks.runs import installation
from tasks.runs.checkout import Checkout
from tasks.runs.environment import isolated_environment

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

HEARTBEAT_SECONDS = 10


class Worker(BaseWorker[BaseJobConfiguration, Any, BaseWorkerResult]):
    type = "process"
    job_configuration = BaseJobConfiguration

    @classmethod
    def __dispatch_key__(cls) -> str:
        """Return another key than Prefect's `process` worker has, so that this class does not replace it."""
        return "hallmark-process"

    async def run(
        self,
        flow_run: "FlowRun",
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> BaseWorkerResult:
        """Execute a flow run in a new process. `configuration` comes from the server and is ignored."""
        process = subprocess.Popen(
            isolated_python(*HALLMARK_PROCESS, "infra.prefect.execute"),
            cwd=access.prefect_folder(checkout_root()), stdin=subprocess.DEVNULL,
            env=isolated_environment(os.environ | {"PREFECT__FLOW_RUN_ID": str(flow_run.id)}),
        )  # fmt: skip
        if task_status:
            task_status.started(process.pid)
        status = await asyncio.to_thread(process.wait)
        return BaseWorkerResult(status_code=status, identifier=str(process.pid))

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: BaseJobConfiguration, grace_seconds: int = 30
    ) -> None:
        for child in psutil.Process().children():
            if str(child.pid) == infrastructure_pid:
                family = [child, *child.children(recursive=True)]
                child.terminate()  # this process ends its descendants, in the right order
                await asyncio.to_thread(wait_then_kill, family, grace_seconds)


async def serve(pool: str) -> None:
    """Execute flow runs of a pool until stopped. Runs in progress then continue on another machine."""
    where = checkout_root()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _kill_and_exit)
    ledger = await asyncio.to_thread(lambda: Checkout(where).ledger)
    worker = Worker(
        work_pool_name=deployment_names.work_pool_name(ledger, pool),
        name=f"{socket.gethostname()}-{installation.installation_id(where)}",
        create_pool_if_not_found=False,
        limit=DEFAULT_CONCURRENCY,
        heartbeat_interval_seconds=HEARTBEAT_SECONDS,
    )
    await worker.start(printer=get_logger("hallmark").info)


def _kill_and_exit() -> None:
    """Kill all child processes, and exit.

    As after a crash, another machine resumes the runs once their leases have expired.
    """
    for process in psutil.Process().children(recursive=True):
        process.kill()
    os._exit(0)


if __name__ == "__main__":
    escape_logs()
    log_uncaught_exceptions()
    asyncio.run(serve(sys.argv[1]))
