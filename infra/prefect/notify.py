"""Notices to people about ledger entries, sent through a Prefect notification block or a webhook.

The titles of the notices are also in the watch's log. HALLMARK_NOTIFY names the destination. `slack-webhook/ops` is the
block `ops` of that type on the Prefect server. `https://…` receives a JSON document by POST.

Notices are sent in the order of the ledger. A notice that could not be sent is retried, and no run waits for it. The
ledger's database stores the number of the last processed entry (tasks/ledger/leases.py), so that another machine can
continue there. A notice is sent twice if two processes send at the same time, or if a process is killed before it has
stored the number.
"""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tasks.core import files
from tasks.core.errors import InputError, Unavailable
from tasks.core.machine.time_limit import call_within

if TYPE_CHECKING:
    from tasks.ledger.ledger import Ledger
    from tasks.registry.history.notices import Notice

DESTINATION_VARIABLE = "HALLMARK_NOTIFY"
CURSOR_NAME = "notices"
OLD_CURSOR_FILE = "notified.json"
"""File in `.hallmark/` in which an earlier version stored the number of the last processed entry."""
TIMEOUT_SECONDS = 10.0
"""Maximum number of seconds to connect, and between two parts of an answer."""
MAX_ANSWER_SECONDS = 20.0
"""Maximum number of seconds until an answer is complete."""
RETRY_DELAYS = (0.0, 1.0, 3.0)
"""Seconds to wait before each attempt to send a notice."""
RESEND_PERIOD = timedelta(days=30)
"""Time span of the entries for which notices are sent again if the stored entry number is too high.

A repeated notice is better than a missing one, but the notices of several years would be too many to read.
"""
CURSOR_AHEAD_WARNING = (
    "notices: the ledger's database said that they had come further than the ledger has; the last "
    f"{RESEND_PERIOD.days} days are told again. Somebody wrote into its table hallmark_leases, or put an older ledger "
    "back"
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def configured_destination() -> str | None:
    given = os.environ.get(DESTINATION_VARIABLE, "").strip()
    if not given:
        return None
    url = urlsplit(given)
    if url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK):
        return given
    if not url.scheme and given.count("/") == 1 and all(given.split("/")):
        return given
    raise InputError(
        f"{DESTINATION_VARIABLE}: expected a Prefect notification block, for example slack-webhook/ops, or a webhook's "
        f"https://… URL, got {url.scheme + '://…' if url.scheme else given!r}"
    )


def send_new_notices(root: Path) -> list[str]:
    """Send the notices about new ledger entries, oldest first, and return their titles for the log.

    If no destination is configured, no notice is sent, but the titles are returned.

    Raises:
        Unavailable: A notice could not be sent. The next call begins with this notice.
    """
    from tasks.ledger.leases import open_leases  # slow, and every command that looks up the server imports this module
    from tasks.registry.history.notices import notice_from_entry
    from tasks.runs.checkout import Checkout
    from tasks.runs.reporting.run_notices import NOTICE_BUILDERS

    place, here = configured_destination(), Checkout(root)
    ledger, leases = here.ledger, open_leases(here.state)
    come = leases.read_position(CURSOR_NAME)
    if come is None:  # first call: there are no notices about earlier entries
        come = _read_old_cursor(here.state, ledger.last_seq())
        leases.advance_position(CURSOR_NAME, come)
    elif come > ledger.last_seq():
        come = _last_older_entry(ledger)
        leases.reset_position(CURSOR_NAME, come)
        from prefect.logging import get_logger

        get_logger("hallmark").warning(CURSOR_AHEAD_WARNING)
    entries, titles = ledger.entries(after=come), list[str]()
    if not entries:  # the usual case, in which reading the governance in force would be wasted time
        return titles
    for entry in entries:
        news = notice_from_entry(entry, here.governance, NOTICE_BUILDERS)
        if news is None:
            continue
        if place:
            send_notice(place, news)
        titles.append(news.title)
        leases.advance_position(CURSOR_NAME, entry.seq)
    leases.advance_position(CURSOR_NAME, entries[-1].seq)
    return titles


def send_notice(target: str, notice: "Notice") -> None:
    """Send one notice, in up to three attempts.

    Raises:
        Unavailable: All attempts failed. The message omits the URL, which can contain a secret.
    """
    for pause in RETRY_DELAYS:
        time.sleep(pause)
        try:
            return _post(target, notice) if "://" in target else _notify(target, notice)
        except Exception as error:  # the errors of blocks and of their libraries are not documented
            answer = getattr(error, "response", None)
            problem = f"{type(error).__name__}{f', status {answer.status_code}' if answer is not None else ''}"
    raise Unavailable(f"{notice.event} of {notice.about} could not be sent ({problem}); it is tried again")


def _post(url: str, notice: "Notice") -> None:
    import httpx

    document = notice.model_dump(mode="json") | {"text": f"{notice.title}\n{notice.text}\n{notice.command}"}
    answer = call_within(MAX_ANSWER_SECONDS, lambda: httpx.post(url, json=document, timeout=TIMEOUT_SECONDS))
    answer.raise_for_status()


def _notify(block: str, notice: "Notice") -> None:
    from prefect.blocks.core import Block

    loaded: Any = Block.load(block)
    loaded.notify(f"{notice.text}\n{notice.command}", subject=notice.title)


def _last_older_entry(ledger: "Ledger") -> int:
    old = ledger.now() - RESEND_PERIOD
    return next((entry.seq for entry in ledger.newest_first() if entry.time < old), 0)


def _read_old_cursor(state: Path, last: int) -> int:
    path = state / OLD_CURSOR_FILE
    return int(files.read_json(path)["entry"]) if path.exists() else last
