"""Watch: `python -I -m hallmark.process infra.prefect.watch` in the checkout it serves, with or without a runner.

The watch does the work that no run does: it resumes runs after decisions, sends reminders and escalates at deadlines,
raises incidents, requests runs for schedules and triggers, publishes ledger heads and sends notices. `hallmark up`
starts a watch in the background, and `hallmark watch` runs one in the foreground.

If machines share a ledger, one of them holds the lease (tasks/ledger/leases.py) and does the work that is common to
all. Each machine does the work on its own state: suspended runs of its Prefect deployment, promotions that it did not
finish, and its runs in MLflow. A holder that has not renewed its lease within the term has lost it for good, and
another machine takes over. Correctness does not depend on having only one holder: every action is looked up in the
ledger before it is recorded.
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
from flows.lifecycle import checkout_root
from flows.mlflow_updates import MlflowSync
from flows.scheduling import OccasionHandler
from flows.suspended_runs import SuspendedRuns
from flows.watch import local_periodic_work, publish_heads, shared_periodic_work
from infra.prefect import notify
from infra.prefect.periodic import run_periodically
from infra.prefect.watch_status import LEASE_NAME
from tasks.core.escaping import escape_logs
from tasks.core.formatting import format_exact_time
from tasks.ledger.leases import Lease, LeaseKeeper, open_leases
from tasks.runs import installation

RENEW_SECONDS = 5.0
DECISION_POLL_SECONDS = 0.5
HEAD_SECONDS = 10.0
"""Seconds between two checks of whether the ledger has grown, so that a new head must be published.

The checks run in parallel with the other work, so that an unreachable place of heads delays no run.
"""
NOTICE_SECONDS = 5.0
POOL_SECONDS = 10.0
"""Seconds between two checks of whether a machine of a pool has ended. The leases of its runs last longer."""
OCCASION_SECONDS = 2.0
"""Seconds between two checks of schedules and triggers.

Schedules have a resolution of one second, and a check without a result takes 1 to 2 ms.
"""
MLFLOW_SECONDS = 5.0
DEADLINE_SECONDS = 60.0
"""Seconds between two checks of deadlines, reminders and expiry dates, which are hours or days apart."""


class Watch:
    def __init__(self, place: Path) -> None:
        self._turn = LeaseKeeper(open_leases(place / ".hallmark"), LEASE_NAME, installation.installation_id(place))
        self._last_holder: str | None = None
        self._renewing, self._ended = threading.Lock(), False

    def renew(self, _: Path) -> list[str]:
        """Take or renew the lease.

        Returns:
            The holder of the lease in words if it has changed; otherwise an empty list.
        """
        with self._renewing:
            if self._ended:
                return []
            lease = self._turn.renew()
        if lease.owner == self._last_holder:
            return []
        self._last_holder = lease.owner
        return [_lease_in_words(lease, self._turn.is_held)]

    def release(self) -> None:
        """Release the lease, so that another machine can take over at once.

        A renewal in progress in another thread finishes first, and no renewal follows.
        """
        with self._renewing:
            self._ended = True
            self._turn.release()

    def while_leader(self, work: Callable[[Path], list[str]]) -> Callable[[Path], list[str]]:
        """Return a function that calls `work` only while this process holds the lease."""

        def done(place: Path) -> list[str]:
            return work(place) if self._turn.is_held else []

        done.__name__ = work.__name__
        return done

    async def serve(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
        try:
            async with asyncio.TaskGroup() as group:
                for work in self._periodic_work():
                    group.create_task(work)
        finally:
            await asyncio.to_thread(self.release)

    def _periodic_work(self) -> Iterator[Coroutine[None, None, None]]:
        yield run_periodically(RENEW_SECONDS, "watch", self.renew)
        yield run_periodically(DEADLINE_SECONDS, "time has passed", self.while_leader(shared_periodic_work))
        yield run_periodically(DEADLINE_SECONDS, "time has passed", local_periodic_work)
        yield run_periodically(HEAD_SECONDS, "ledger", self.while_leader(publish_heads))
        yield run_periodically(NOTICE_SECONDS, "told", self.while_leader(notify.deliver))
        schedules, triggers = (OccasionHandler(checkout_root(), lambda: self._turn.is_held) for _ in range(2))
        yield run_periodically(OCCASION_SECONDS, "asked for", schedules.handle_schedules)
        yield run_periodically(OCCASION_SECONDS, "asked for", triggers.handle_triggers)
        yield run_periodically(MLFLOW_SECONDS, "MLflow", MlflowSync(checkout_root()).update)
        if os.environ.get("PREFECT_API_URL"):
            yield run_periodically(
                DECISION_POLL_SECONDS,
                "goes on, its gate is decided",
                SuspendedRuns(checkout_root(), self._pooled).resume_decided,
            )
            yield run_periodically(
                POOL_SECONDS, "goes on, its machine was gone", self.while_leader(pool_rescheduling.reschedule_abandoned)
            )

    def _pooled(self) -> list[str]:
        return pool_rescheduling.pool_deployments(checkout_root()) if self._turn.is_held else []


def _lease_in_words(lease: Lease, mine: bool) -> str:
    return "this process watches" if mine else f"{lease.place} watches since {format_exact_time(lease.since)}"


async def main() -> None:
    watch = Watch(checkout_root())
    try:
        for line in await asyncio.to_thread(watch.renew, checkout_root()):
            get_logger("hallmark").info("watch: %s", line)
    except Exception as error:  # the ledger cannot be reached; `serve` tries again
        get_logger("hallmark").warning("watch: %s", error)
    await watch.serve()


if __name__ == "__main__":
    escape_logs()
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(main())
