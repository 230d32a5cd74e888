"""The watch: `python -I -m infra.prefect.watch`, in the checkout it serves, beside a runner or without one.

It looks after what nobody executes: gates that were decided, deadlines, expiries, schedules and triggers, heads of the
ledger, notices. `hallmark up` starts it, `hallmark watch` runs one in the foreground.

Of several machines that share a ledger one holds the lease (tasks/ledger/leases.py) and does what is done for all of
them. What lies on one machine alone, that machine does: parked runs of its own Prefect deployment, promotions that it
broke off, its runs in MLflow. Whoever holds the lease is gone for good once it has not renewed it for its term, and
another machine goes on. Nothing rests on there being one: every act is looked up in the ledger before it is recorded.
"""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

from prefect.logging import get_logger

from flows import pooled
from flows.lifecycle import root
from flows.occasions import Occasions
from flows.parked import Parked
from flows.tracked import Tracked
from flows.watch import own_time_passes, publish_heads, time_passes
from infra.prefect import notify
from infra.prefect.every import every
from infra.prefect.watching import NAME
from tasks.core.shown import guard_logs
from tasks.ledger.leases import Lease, Turn, open_leases
from tasks.runs import installation

RENEW_SECONDS = 5.0
DECIDED_SECONDS = 0.5
"""How often the ledger is asked for new decisions."""
HEAD_SECONDS = 10.0
"""How often a head of the ledger is published where it grew. Beside the watch over runs: a place that is away keeps
nobody waiting."""
NEWS_SECONDS = 5.0
POOLED_SECONDS = 10.0
"""How often it is looked whether a machine of a pool is gone; its lease lasts longer."""
OCCASION_SECONDS = 2.0
"""How often schedules and triggers are looked at: a time counts to the second, and a look that finds nothing takes a
millisecond or two."""
TRACKED_SECONDS = 5.0
"""How often MLflow is told of runs that changed."""
TIME_SECONDS = 60.0
"""Deadlines, reminders and expiries are counted in hours and days."""


class Watch:
    """Of one checkout, until it is stopped."""

    def __init__(self, place: Path) -> None:
        self._turn = Turn(open_leases(place / ".hallmark"), NAME, installation.of(place))
        self._told: str | None = None
        self._renewing, self._ended = threading.Lock(), False

    def renew(self, _: Path) -> list[str]:
        """Take or renew the lease. Returns in words who watches, where that changed."""
        with self._renewing:
            if self._ended:
                return []
            lease = self._turn.renew()
        if lease.owner == self._told:
            return []
        self._told = lease.owner
        return [_words(lease, self._turn.is_mine)]

    def let_go(self) -> None:
        """Let another take over at once. A renewal that is under way in its thread comes first; none comes after."""
        with self._renewing:
            self._ended = True
            self._turn.let_go()

    def leading(self, work: Callable[[Path], list[str]]) -> Callable[[Path], list[str]]:
        """The same work, done while this process holds the lease alone."""

        def done(place: Path) -> list[str]:
            return work(place) if self._turn.is_mine else []

        done.__name__ = work.__name__
        return done

    async def serve(self) -> None:
        """Look after everything until told to stop; then another may take over at once."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
        try:
            async with asyncio.TaskGroup() as group:
                for work in self._works():
                    group.create_task(work)
        finally:
            await asyncio.to_thread(self.let_go)

    def _works(self) -> Iterator[Coroutine[None, None, None]]:
        yield every(RENEW_SECONDS, "watch", self.renew)
        yield every(TIME_SECONDS, "time has passed", self.leading(time_passes))
        yield every(TIME_SECONDS, "time has passed", own_time_passes)
        yield every(HEAD_SECONDS, "ledger", self.leading(publish_heads))
        yield every(NEWS_SECONDS, "told", self.leading(notify.deliver))
        yield every(OCCASION_SECONDS, "asked for", Occasions(root(), lambda: self._turn.is_mine).look)
        yield every(TRACKED_SECONDS, "MLflow", Tracked(root()).look)
        if os.environ.get("PREFECT_API_URL"):
            yield every(DECIDED_SECONDS, "goes on, its gate is decided", Parked(root(), self._pooled).resume_decided)
            yield every(POOLED_SECONDS, "goes on, its machine was gone", self.leading(pooled.revive))

    def _pooled(self) -> list[str]:
        return pooled.deployments(root()) if self._turn.is_mine else []


def _words(lease: Lease, mine: bool) -> str:
    return "this process watches" if mine else f"{lease.place} watches since {lease.since:%Y-%m-%d %H:%M:%S} UTC"


async def main() -> None:
    watch = Watch(root())
    try:
        for line in await asyncio.to_thread(watch.renew, root()):
            get_logger("hallmark").info("watch: %s", line)
    except Exception as error:  # the ledger is away; it is tried again
        get_logger("hallmark").warning("watch: %s", error)
    await watch.serve()


if __name__ == "__main__":
    guard_logs()
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(main())
