"""An occasion and what is made of it: one run, or none with the reason why.

    occasion.taken        the ledger has the run's id and its signed request: from here on there is one run of it
    the flow run          Prefect is asked for it, by the run's id, so that asking twice makes one
    occasion.started      nothing is left to do

Whoever comes second finds the first entry, and a crash between the two is finished from what stands there. A key
names an occasion: of a schedule its name and time, of a trigger its name and what happened. Two machines that share a
ledger find the same key.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tasks.core.files import sha256_bytes
from tasks.ledger.ledger import Entry, Ledger
from tasks.occasions.book import PASSED_OVER, STARTED, TAKEN, Book
from tasks.occasions.durations import spell
from tasks.runs.asking import Envelope
from tasks.runs.request import RunRequest


@dataclass(frozen=True)
class Occasion:
    key: str
    name: str
    """Of the schedule or trigger."""
    reason: str
    """Why a run is asked for, in words; it stands in the signed request."""
    params: str
    changes: dict[str, str]
    cool_down: timedelta | None = None
    due: datetime | None = None
    """Of a schedule's."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the ledger keeps of it besides."""
    pool: str | None = None
    """Which executes the run."""


class Asked(NamedTuple):
    """What becomes of an occasion: a signed request, which names the run."""

    request: RunRequest
    envelope: Envelope


Ask = Callable[[str], Asked]
"""Takes the run's id; signs. May raise what asking for a run raises."""


def take(ledger: Ledger, book: Book, occasion: Occasion, installation: str, ask: Ask) -> Entry | None:
    """Record that a run is asked for, or why none is; None where the ledger has the occasion already.

    Raises what `ask` raises, and nothing is recorded then. It is called outside of the transaction: who signs may take
    their time.
    """
    if book.update(ledger).knows(occasion.key):
        return None
    now = ledger.now()
    run = f"{now:%Y%m%d-%H%M%S}-{sha256_bytes(occasion.key.encode())[:8]}"
    why = _cooling(book, occasion, now)
    asked = None if why else ask(run)
    with ledger.transaction():
        if book.update(ledger).knows(occasion.key):
            return None
        why = why or _cooling(book, occasion, now)  # another machine may have taken one since
        if asked is None or why:
            return _pass_over(ledger, occasion, why)
        body = _body(occasion) | {
            "run": run, "requested_by": asked.request.requested_by, "installation": installation,
            "envelope": asked.envelope,
        }  # fmt: skip
        return ledger.append(TAKEN, occasion.key, body)


def pass_over(ledger: Ledger, book: Book, occasion: Occasion, why: str) -> Entry | None:
    """Record, once, that no run is made of an occasion."""
    with ledger.transaction():
        return None if book.update(ledger).knows(occasion.key) else _pass_over(ledger, occasion, why)


def started(ledger: Ledger, book: Book, key: str, run: str, flow_run: str) -> Entry | None:
    """Record that Prefect has the flow run of an occasion."""
    with ledger.transaction():
        if ledger.entries(STARTED, key):
            return None
        entry = ledger.append(STARTED, key, {"run": run, "flow_run": flow_run})
    book.update(ledger)
    return entry


def _pass_over(ledger: Ledger, occasion: Occasion, why: str) -> Entry:
    return ledger.append(PASSED_OVER, occasion.key, _body(occasion) | {"why": why})


def _body(occasion: Occasion) -> dict[str, Any]:
    due = occasion.due.isoformat() if occasion.due else None
    pool = {"pool": occasion.pool} if occasion.pool else {}
    return {"name": occasion.name, "reason": occasion.reason, "due": due, **pool, **occasion.facts}


def _cooling(book: Book, occasion: Occasion, now: datetime) -> str:
    """Why an occasion comes too soon after the last one of its name; empty where it does not."""
    before = book.taken_by(occasion.name, now)
    if before is None or occasion.cool_down is None or now - before >= occasion.cool_down:
        return ""
    return f"{spell(occasion.cool_down)} have not passed since the run of {before:%Y-%m-%d %H:%M} UTC"
