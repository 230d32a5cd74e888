"""Tell people outside what the ledger says: through a Prefect notification block, or a webhook, or the watch's log.

HALLMARK_NOTIFY names where: `slack-webhook/ops` is the block `ops` of that type on the Prefect server; `https://…`
takes a JSON document by POST. What could not be sent is sent at the next try, in the order of the ledger; runs never
wait for it. The ledger's database says beside the ledger how far it has come (tasks/ledger/leases.py), so that another
machine goes on from there. A notice comes twice where two send at once, or one is killed before it has said so.
"""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tasks.core import files
from tasks.core.errors import InputError, Unavailable

if TYPE_CHECKING:
    from tasks.ledger.ledger import Ledger
    from tasks.registry.history.notices import Notice

VARIABLE = "HALLMARK_NOTIFY"
NAME = "notices"
BEFORE = "notified.json"
"""Below `.hallmark/`: how far an earlier version had come."""
TIMEOUT_SECONDS = 10.0
PAUSES = (0.0, 1.0, 3.0)
"""Seconds before each try."""
AGAIN = timedelta(days=30)
"""What is told again where nobody knows how far it has come: twice beats never, but years at once nobody would read."""
BEYOND = (
    f"notices: the ledger's database said that they had come further than the ledger has; the last {AGAIN.days} days "
    "are told again. Somebody wrote into its table hallmark_leases, or put an older ledger back"
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def target() -> str | None:
    """Where notices go; None where nobody said. Raises InputError for a setting that is neither block nor webhook."""
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return None
    url = urlsplit(given)
    if url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK):
        return given
    if not url.scheme and given.count("/") == 1 and all(given.split("/")):
        return given
    raise InputError(
        f"{VARIABLE}: expected a Prefect notification block, for example slack-webhook/ops, or a webhook's "
        f"https://… URL, got {url.scheme + '://…' if url.scheme else given!r}"
    )


def deliver(root: Path) -> list[str]:
    """Send what has happened since the last time, oldest first. Returns the titles.

    Where nobody is to be told they are for the log alone. Raises Unavailable where something could not be sent: that
    and what follows is sent next time.
    """
    from tasks.ledger.leases import open_leases  # every command that asks whether a server is up imports this module
    from tasks.ledger.ledger import open_ledger
    from tasks.registry.history.notices import notice
    from tasks.runs.run import installed_governance

    place, state = target(), root / ".hallmark"
    ledger, leases = open_ledger(state), open_leases(state)
    come = leases.come(NAME)
    if come is None:  # what happened before anybody could be told is no news
        come = _before(state, ledger.last())
        leases.advance(NAME, come)
    elif come > ledger.last():
        come = _again(ledger)
        leases.take_back(NAME, come)
        from prefect.logging import get_logger

        get_logger("hallmark").warning(BEYOND)
    entries, titles = ledger.entries(after=come), list[str]()
    if not entries:  # as at most looks: the policy in force is not read for it
        return titles
    governed = installed_governance(root, None)
    for entry in entries:
        news = notice(entry, governed)
        if news is None:
            continue
        if place:
            send(place, news)
        titles.append(news.title)
        leases.advance(NAME, entry.seq)
    leases.advance(NAME, entries[-1].seq)
    return titles


def send(place: str, news: "Notice") -> None:
    """Send one notice, in up to three tries. Raises Unavailable, without the URL, which may hold a secret."""
    for pause in PAUSES:
        time.sleep(pause)
        try:
            return _post(place, news) if "://" in place else _notify(place, news)
        except Exception as error:  # what blocks and their libraries raise is not documented
            answer = getattr(error, "response", None)
            problem = f"{type(error).__name__}{f', status {answer.status_code}' if answer is not None else ''}"
    raise Unavailable(f"{news.event} of {news.about} could not be sent ({problem}); it is tried again")


def _post(url: str, news: "Notice") -> None:
    import httpx

    document = news.model_dump(mode="json") | {"text": f"{news.title}\n{news.text}\n{news.command}"}
    httpx.post(url, json=document, timeout=TIMEOUT_SECONDS).raise_for_status()


def _notify(block: str, news: "Notice") -> None:
    from prefect.blocks.core import Block

    loaded: Any = Block.load(block)
    loaded.notify(f"{news.text}\n{news.command}", subject=news.title)


def _again(ledger: "Ledger") -> int:
    """The last entry that is older than what is told again; 0 where none is."""
    old = ledger.now() - AGAIN
    return next((entry.seq for entry in ledger.newest_first() if entry.time < old), 0)


def _before(state: Path, last: int) -> int:
    """The last entry of the ledger that an earlier version dealt with, which said so in a file; else `last`."""
    path = state / BEFORE
    return int(files.read_json(path)["entry"]) if path.exists() else last
