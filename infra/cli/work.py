"""Command `hallmark work`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import checkout_root, console
from infra.logs.settings import log_format, process_variables
from infra.prefect import access, client, pools, server
from infra.prefect.server import RunningPrefect
from infra.processes import HALLMARK_PROCESS, Process, isolated_python
from tasks.core.databases.addresses import LEDGER_URL_VARIABLE
from tasks.core.errors import InputError, Unavailable
from tasks.runs.checkout import Checkout
from tasks.runs.environment import isolated_environment
from tasks.runs.outputs import dvc
from tasks.runs.run import GIT_REMOTE_VARIABLE
from tasks.scheduling import deployments_in_force
from tasks.scheduling.pools import Pool

POLL_SECONDS = "2"
"""Seconds between two requests to Prefect for new flow runs. Prefect's default is 10."""


def work(pool: Annotated[str, typer.Argument(metavar="POOL", help="A pool that deployments.yaml declares.")]) -> None:
    """Execute runs of a work pool on this machine, in the foreground, until Ctrl-C.

    The machine can have a runner as well. Each machine of a pool can continue runs that another machine has begun or
    suspended. A run that is in progress when you press Ctrl-C continues on another machine.

    Example: hallmark work gpu
    """
    where = checkout_root()
    log_format()
    here = shared.open_checkout()
    declared = _declared_pools(here, pool)
    api, own = _server_api(where)
    nobody = RunningPrefect(
        api=api, server=Process(pid=0, started=0) if own else None, runner=Process(pid=0, started=0)
    )
    with client.connected_client(where, nobody) as prefect:
        for line in pools.synchronise_pools(prefect, here.ledger, declared):
            console.print(line, markup=False, highlight=False)
    for line in _missing_for_takeover(where):
        console.print(f"note: {line}", markup=False, highlight=False)
    environment = access.client_environment(where, api, is_own_server=own)
    environment |= {"PREFECT_WORKER_QUERY_SECONDS": POLL_SECONDS}
    given = isolated_environment(process_variables("worker", None, access.with_hallmark_log_format(where, environment)))
    console.print(f"working for pool {pool}; end it with Ctrl-C", markup=False)
    sys.stdout.flush()
    os.chdir(access.prefect_folder(where))  # Prefect reads settings from the current folder
    command = isolated_python(*HALLMARK_PROCESS, "infra.prefect.worker", pool)
    os.execve(sys.executable, command, given)


def _declared_pools(here: Checkout, pool: str) -> dict[str, Pool]:
    found = deployments_in_force.read_deployments(here.ledger, here.governance).deployments.pools
    if pool not in found:
        known = ", ".join(found) or "none is in force; write `pools` in deployments.yaml, then hallmark deploy"
        raise InputError(f"there is no pool {pool!r}: {known}")
    if found[pool].type != "process":
        raise InputError(
            f"pool {pool} is of type {found[pool].type}: a worker in the cluster takes its runs, see "
            "docs/guides/machines.md"
        )
    return found


def _server_api(where: Path) -> tuple[str, bool]:
    up = server.find(where)
    if up:
        return up.api, up.server is not None
    if api := os.environ.get("PREFECT_API_URL"):
        access.prefect_folder(where).mkdir(parents=True, exist_ok=True)
        return api, False
    raise Unavailable(
        "no Prefect server is up here: `hallmark up`, or set PREFECT_API_URL to the one that the pool's machines share"
    )


def _missing_for_takeover(where: Path) -> Iterator[str]:
    if not os.environ.get(LEDGER_URL_VARIABLE):
        yield (
            f"{LEDGER_URL_VARIABLE} is not set: the ledger is on this machine alone, and no other can work for the pool"
        )
        return
    if not os.environ.get(GIT_REMOTE_VARIABLE):
        yield f"{GIT_REMOTE_VARIABLE} is not set: runs are pushed nowhere, and no other machine can take one up"
    if not dvc.has_remote(where):
        yield "DVC has no default remote here: no other machine can take a run up; `dvc remote add --default NAME URL`"
