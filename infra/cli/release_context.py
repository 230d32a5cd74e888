"""Ledger and governance for the commands about releases."""

import sys
from typing import Annotated

import typer

from infra.cli import shared
from infra.release_notices import list_notices
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import promotion

Label = Annotated[str, typer.Argument(metavar="RELEASE", help="NAME-VERSION, as `hallmark releases list` shows it.")]


def open_to_read() -> tuple[Ledger, Governance]:
    """Return the ledger and the governance in force, for a command that only reads.

    Notices about unfinished or invalid promotions are printed to stderr.
    """
    here = shared.open_checkout()
    ledger, governed = here.ledger, here.governance
    for text in list_notices(ledger, governed):
        print(f"hallmark: {text}", file=sys.stderr)
    return ledger, governed


def open_to_change() -> tuple[Ledger, Governance]:
    """Complete or undo unfinished promotions, and return the ledger and the governance in force.

    Commands that change something use this function.
    """
    here = shared.open_checkout()
    for text in promotion.recover(here.ledger, here.governance):
        print(f"hallmark: {text}", file=sys.stderr)
    return open_to_read()
