"""One machine at a time executes or fetches a run, where several share a ledger: a lease that is renewed meanwhile.

It tells a second machine at once who has the run, and frees the run of a machine that died. What keeps two from going
on with one run is the ledger's entry `run.taken_up`, which every stage looks at (taking_up.py); so a lease that was
lost while a machine slept does no harm.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks.core.errors import Refused, Unavailable
from tasks.ledger import ledger
from tasks.ledger.leases import TERM, Lease, Turn, open_leases
from tasks.runs import installation
from tasks.runs.request import checked_run_id

LOOK_SECONDS = 1.0
RENEW_SECONDS = TERM.total_seconds() / 3


@contextmanager
def only_here(root: Path, run_id: str) -> Iterator[None]:
    """Hold a run against other machines inside the block; `hold.only_one` is held already, against other processes.

    Raises Refused, with who has it, where another machine has it and renews that. One that is gone is waited for, until
    its term is over. A ledger that nobody shares needs none of it, and one that is away is told by whatever needs it.
    """
    if not os.environ.get(ledger.VARIABLE):
        yield
        return
    name = f"run/{checked_run_id(run_id)}"
    turn = Turn(open_leases(root / ".hallmark"), name, installation.of(root), one=True)
    with suppress(Unavailable):
        _take(turn, run_id)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(turn, ended), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with suppress(Unavailable):
            turn.let_go()


def _take(turn: Turn, run_id: str) -> None:
    first = turn.renew()
    deadline = time.monotonic() + TERM.total_seconds() + LOOK_SECONDS
    held = first
    while not turn.is_mine:
        if (held.owner, held.until) != (first.owner, first.until) or time.monotonic() > deadline:
            raise Refused(f"run {run_id} is being executed or fetched elsewhere: {_words(held)}")
        time.sleep(LOOK_SECONDS)
        held = turn.renew()


def _words(held: Lease) -> str:
    return (
        f"{held.place} has had it since {held.since:%Y-%m-%d %H:%M:%S} UTC; `hallmark down` there lets go of it, and "
        "so does its next gate"
    )


def _renew(turn: Turn, ended: threading.Event) -> None:
    while not ended.wait(RENEW_SECONDS):
        with suppress(Unavailable):
            turn.renew()
