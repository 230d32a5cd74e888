"""Watch: the process that does all work that belongs to no run, in the checkout that it serves.

Its command line is `python -I -m hallmark.process infra.prefect.watch`. It needs no runner. It resumes runs after
decisions, sends reminders and escalates at deadlines, opens incidents, requests runs for schedules and triggers,
publishes ledger heads and sends notices. `hallmark up` starts a watch in the background, and `hallmark watch` runs one
in the foreground.

If several machines share a ledger, one of them holds the lease (tasks/ledger/leases.py) and does the shared work. Each
machine does the work on its own state: suspended and crashed runs of its Prefect deployment, promotions that it did not
finish, and its runs in MLflow. If the holder does not renew its lease before the lease expires, it has lost the lease
for good, and another machine takes over. Correctness does not depend on having only one holder, because every action is
looked up in the ledger before it is recorded.
"""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

from prefect.logging import get_logger

from flows import pool_rescheduling
from flows.crashed_runs import resume_crashed
from flows.lifecycle import checkout_root
from flows.mlflow_updates import MlflowSync
from flows.scheduling import OccasionHandler
from flows.suspended_runs import SuspendedRuns
from flows.watch import local_periodic_work, publish_heads, shared_periodic_work
from infra.logs.uncaught import log_uncaught_exceptions
from infra.prefect import notify
from infra.prefect.periodic import run_periodically
from infra.prefect.revival import CHECK_SECONDS, revive_dead
from infra.prefect.watch_status import LEASE_NAME
from tasks.core.escaping import escape_logs
from tasks.core.formatting import format_exact_time
from tasks.ledger.leases import Lease, LeaseKeeper, open_leases
from tasks.runs import installation

LEASE_RENEWAL_SECONDS = 5.0
DECISION_POLL_SECONDS = 0.5
HEAD_CHECK_SECONDS = 10.0
"""Seconds between two checks of whether the ledger has grown. If it has, a new head is published.

The checks run in parallel with the other work, so that an unreachable place of heads delays no run.
"""
NOTICE_SECONDS = 5.0
CRASH_CHECK_SECONDS = 5.0
"""Seconds between two checks for runs on this machine whose process has died."""
POOL_CHECK_SECONDS = 10.0
"""Seconds between two checks of whether a machine of a pool is gone. The leases of its runs last longer."""
OCCASION_CHECK_SECONDS = 2.0
"""Seconds between two checks of schedules and triggers.

Schedules have a resolution of one second. If nothing is due, a check takes 1 to 2 ms.
"""
MLFLOW_SECONDS = 5.0
DEADLINE_CHECK_SECONDS = 60.0
"""Seconds between two checks of deadlines, reminders and expiry dates, which are hours or days apart."""


class Watch:
    def __init__(self, root: Path) -> None:
        self._lease_keeper = LeaseKeeper(
            open_leases(root / ".hallmark"), LEASE_NAME, installation.installation_id(root)
        )
        self._last_holder: str | None = None
        self._renewal_lock, self._is_released = threading.Lock(), False

    def renew_lease(self, _: Path) -> list[str]:
        """Acquire or renew the lease.

        Returns:
            If the holder of the lease has changed, one line that names the new holder; otherwise an empty list.
        """
        with self._renewal_lock:
            if self._is_released:
                return []
            lease = self._lease_keeper.renew()
        if lease.owner == self._last_holder:
            return []
        self._last_holder = lease.owner
        return [_lease_in_words(lease, self._lease_keeper.is_held)]

    def release_lease(self) -> None:
        """Release the lease, so that another machine can take over at once.

        If another thread is renewing the lease, this call waits for it. Afterwards, the lease is not renewed again.
        """
        with self._renewal_lock:
            self._is_released = True
            self._lease_keeper.release()

    def only_while_leader(self, work: Callable[[Path], list[str]]) -> Callable[[Path], list[str]]:
        """Return a function that calls `work` only while this process holds the lease."""

        def done(place: Path) -> list[str]:
            return work(place) if self._lease_keeper.is_held else []

        done.__name__ = work.__name__
        return done

    async def serve(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
        try:
            async with asyncio.TaskGroup() as group:
                for work in self._periodic_work():
                    group.create_task(work)
        finally:
            await asyncio.to_thread(self.release_lease)

    def _periodic_work(self) -> Iterator[Coroutine[None, None, None]]:
        yield run_periodically(LEASE_RENEWAL_SECONDS, "watch", self.renew_lease)
        yield run_periodically(DEADLINE_CHECK_SECONDS, "time has passed", self.only_while_leader(shared_periodic_work))
        yield run_periodically(DEADLINE_CHECK_SECONDS, "time has passed", local_periodic_work)
        yield run_periodically(HEAD_CHECK_SECONDS, "ledger", self.only_while_leader(publish_heads))
        yield run_periodically(NOTICE_SECONDS, "told", self.only_while_leader(notify.send_new_notices))
        schedules, triggers = (OccasionHandler(checkout_root(), lambda: self._lease_keeper.is_held) for _ in range(2))
        yield run_periodically(OCCASION_CHECK_SECONDS, "asked for", schedules.handle_schedules)
        yield run_periodically(OCCASION_CHECK_SECONDS, "asked for", triggers.handle_triggers)
        yield run_periodically(MLFLOW_SECONDS, "MLflow", MlflowSync(checkout_root()).update)
        if os.environ.get("PREFECT_API_URL"):
            yield run_periodically(CHECK_SECONDS, "had died and is started again", revive_dead)
            yield run_periodically(
                DECISION_POLL_SECONDS,
                "goes on, its gate is decided",
                SuspendedRuns(checkout_root(), self._pool_deployments).resume_decided,
                results_are_runs=True,
            )
            yield run_periodically(
                CRASH_CHECK_SECONDS, "goes on, its process had died", resume_crashed, results_are_runs=True
            )
            yield run_periodically(
                POOL_CHECK_SECONDS,
                "goes on, its machine was gone",
                self.only_while_leader(pool_rescheduling.reschedule_abandoned),
                results_are_runs=True,
            )

    def _pool_deployments(self) -> list[str]:
        return pool_rescheduling.pool_deployments(checkout_root()) if self._lease_keeper.is_held else []


def _lease_in_words(lease: Lease, is_held: bool) -> str:
    return "this process watches" if is_held else f"{lease.place} watches since {format_exact_time(lease.since)}"


async def main() -> None:
    watch = Watch(checkout_root())
    try:
        for line in await asyncio.to_thread(watch.renew_lease, checkout_root()):
            get_logger("hallmark").info("watch: %s", line)
    except Exception as error:  # the ledger cannot be reached; `serve` tries again
        get_logger("hallmark").warning("watch: %s", error)
    await watch.serve()


if __name__ == "__main__":
    escape_logs()
    log_uncaught_exceptions()
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(main())
