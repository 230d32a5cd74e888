"""Signs that the ledger of a checkout was tampered with, found by a quick check before the ledger is read."""

import os
from pathlib import Path

from tasks.core.errors import Unavailable
from tasks.ledger import quick_check
from tasks.ledger.ledger import get_ledger, ledger_exists
from tasks.policy import in_force, root_of_trust


def tampering_signs(checkout: Path) -> list[str]:
    """Return descriptions of signs that a checkout's ledger was tampered with; empty if there are none.

    The check is quick, because it reads only a part of a long ledger (tasks/ledger/quick_check.py). It does not report
    a ledger that cannot be reached or does not exist yet; this is left to the caller. It reports signed heads that
    cannot be read, because without them a change would not be noticed.

    Raises:
        InputError: The root of trust differs from the one that the environment or this checkout names.
    """
    state = checkout / ".hallmark"
    if os.environ.get(root_of_trust.ROOT_VARIABLE):
        root_of_trust.root_fingerprint(state)
    if not ledger_exists(state):
        return []
    ledger = get_ledger(state)
    try:
        ledger.prepare_tables()
        if not ledger.count_entries():
            return []
        governed, _ = in_force.read_in_force(checkout / "infra" / "governance", state, ledger)
    except Unavailable:
        return []
    try:
        return quick_check.find_problems(ledger, governed)
    except Unavailable as error:
        return [f"it cannot be checked: {error}"]
