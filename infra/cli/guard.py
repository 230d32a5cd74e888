"""Before a command that reads the ledger: whom it trusts, and whether it can be seen that somebody changed it."""

import os
import sys
from collections.abc import Callable

import typer

from infra.cli import shared
from tasks.core.errors import Refused, Unavailable
from tasks.ledger import glance
from tasks.ledger.ledger import is_there, reach_ledger
from tasks.policy import adopting, in_force

TOLD = "run `hallmark ledger verify`, which says all that is wrong, and ask whoever keeps the ledger"


def run(verb: Callable[[], None], acts: bool) -> None:
    """Run a command. On a ledger that was changed one that `acts` is refused; another shows what it has, under a
    warning on stderr, and exits with 1.

    Raises InputError where the root of trust is not the one that the environment or this checkout names.
    """
    wrong = tampered()
    if wrong and acts:
        raise Refused(f"the ledger was changed by hand, and nothing is done on it: {'; '.join(wrong)}. {TOLD}")
    for text in wrong:
        print(f"hallmark: the ledger was changed by hand: {text}", file=sys.stderr)
    if wrong:
        print(f"hallmark: what follows is what it says now, and may be false; {TOLD}", file=sys.stderr)
    try:
        verb()
    except typer.Exit as ended:
        if ended.exit_code:
            raise
    if wrong:
        raise typer.Exit(1)


def tampered() -> list[str]:
    """What is wrong with the ledger of this checkout, in words. One that is away or not there yet is for the command to
    tell."""
    where = shared.root()
    state = where / ".hallmark"
    if os.environ.get(adopting.PIN):
        adopting.root_fingerprint(state)
    if not is_there(state):
        return []
    ledger = reach_ledger(state)
    try:
        ledger.prepare()
        if not ledger.count():
            return []
        governed, _ = in_force.read(where / "infra" / "governance", state, ledger)
        return glance.wrong(ledger, governed)
    except Unavailable:
        return []
