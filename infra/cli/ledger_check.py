"""Checks before a command that reads the ledger: the root of trust, and signs that the ledger was changed."""

import os
import sys
from collections.abc import Callable

import typer

from infra.cli import shared
from tasks.core.errors import Refused, Unavailable
from tasks.ledger import quick_check
from tasks.ledger.ledger import get_ledger, ledger_exists
from tasks.policy import adoption_entries, in_force

ADVICE = "run `hallmark ledger verify`, which says all that is wrong, and ask whoever keeps the ledger"


def run_checked(verb: Callable[[], None], acts: bool) -> None:
    """Run a command, after a check of the ledger.

    If the ledger was changed, a command that acts is refused. Another command shows what the ledger has, below a
    warning on stderr, and exits with code 1.

    Args:
        verb: The command.
        acts: Whether the command changes something.

    Raises:
        Refused: The ledger was changed, and the command acts.
        InputError: The root of trust is not the one that the environment or this checkout names.
    """
    wrong = tampering_signs()
    if wrong and acts:
        raise Refused(f"the ledger was changed by hand, and nothing is done on it: {'; '.join(wrong)}. {ADVICE}")
    for text in wrong:
        print(f"hallmark: the ledger was changed by hand: {text}", file=sys.stderr)
    if wrong:
        print(f"hallmark: what follows is what it says now, and may be false; {ADVICE}", file=sys.stderr)
    try:
        verb()
    except typer.Exit as ended:
        if ended.exit_code:
            raise
    if wrong:
        raise typer.Exit(1)


def tampering_signs() -> list[str]:
    """Return signs that the ledger of this checkout was changed, in words; empty if there are none.

    The check is short and looks at a part of a long ledger (tasks/ledger/quick_check.py). A ledger that cannot be
    reached or does not exist yet is not reported here, since the command itself reports it.
    """
    where = shared.checkout_root()
    state = where / ".hallmark"
    if os.environ.get(adoption_entries.ROOT_VARIABLE):
        adoption_entries.root_fingerprint(state)
    if not ledger_exists(state):
        return []
    ledger = get_ledger(state)
    try:
        ledger.prepare()
        if not ledger.count():
            return []
        governed, _ = in_force.read(where / "infra" / "governance", state, ledger)
        return quick_check.find_problems(ledger, governed)
    except Unavailable:
        return []
