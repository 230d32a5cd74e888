"""Lease that lets one machine at a time execute or fetch a run, if several machines share a ledger.

The lease is renewed while the run executes. It shows other machines which machine executes the run, and it expires if
that machine dies. The lease does not have to be reliable: before every stage, the ledger's entry `run.taken_up` is read
(takeover.py), which prevents two machines from continuing the same run. A lease that expires while a machine sleeps
therefore does no harm.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks.core.databases.addresses import LEDGER_URL_VARIABLE
from tasks.core.errors import Refused, Unavailable
from tasks.core.formatting import format_exact_time
from tasks.ledger.leases import LEASE_DURATION, Lease, LeaseKeeper, open_leases
from tasks.runs import installation
from tasks.runs.request import require_run_id

LEASE_PREFIX = "run/"
"""First part of a lease's name, before the id of the run."""
POLL_SECONDS = 1.0
RENEW_SECONDS = LEASE_DURATION.total_seconds() / 3


@contextmanager
def hold_run_lease(root: Path, run_id: str) -> Iterator[None]:
    """Hold the lease of a run during the block, so that no other machine executes the run.

    The caller must hold the lock of `hold_run_lock`, which excludes other processes on this machine. If the machine
    that holds the lease has died, the call waits until the lease expires. If the ledger is not shared, there is no
    lease. If the ledger is unavailable, the block runs without a lease, and the next access to the ledger reports the
    error.

    Raises:
        Refused: Another machine holds the lease and renews it; the message names the machine.
    """
    if not os.environ.get(LEDGER_URL_VARIABLE):
        yield
        return
    name = f"{LEASE_PREFIX}{require_run_id(run_id)}"
    turn = LeaseKeeper(open_leases(root / ".hallmark"), name, installation.installation_id(root), one_owner=True)
    with suppress(Unavailable):
        _acquire_lease(turn, run_id)
    ended = threading.Event()
    renewing = threading.Thread(target=_keep_renewing, args=(turn, ended), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with suppress(Unavailable):
            turn.release()


def runs_on_other_machines(root: Path) -> dict[str, str]:
    """Return the machine of each run that another machine executes or fetches now, by run id.

    Raises:
        Unavailable: The ledger cannot be reached.
    """
    if not os.environ.get(LEDGER_URL_VARIABLE):
        return {}
    own = installation.installation_id(root)
    leases = open_leases(root / ".hallmark").live_leases(LEASE_PREFIX)
    return {lease.name.removeprefix(LEASE_PREFIX): lease.place for lease in leases if lease.owner != own}


def _acquire_lease(turn: LeaseKeeper, run_id: str) -> None:
    first = turn.renew()
    deadline = time.monotonic() + LEASE_DURATION.total_seconds() + POLL_SECONDS
    holder = first
    while not turn.is_held:
        if (holder.owner, holder.until) != (first.owner, first.until) or time.monotonic() > deadline:
            raise Refused(f"run {run_id} is being executed or fetched elsewhere: {_holder_in_words(holder)}")
        time.sleep(POLL_SECONDS)
        holder = turn.renew()


def _holder_in_words(held: Lease) -> str:
    return (
        f"{held.place} has had it since {format_exact_time(held.since)}; `hallmark down` there lets go of it, and "
        "so does its next gate"
    )


def _keep_renewing(turn: LeaseKeeper, ended: threading.Event) -> None:
    while not ended.wait(RENEW_SECONDS):
        with suppress(Unavailable):
            turn.renew()
