"""Where every command about releases begins."""

import sys
from typing import Annotated

import typer

from infra.cli import shared
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import promotion, releases
from tasks.runs.run import installed_governance

Label = Annotated[str, typer.Argument(metavar="RELEASE", help="NAME-VERSION, as `hallmark releases list` shows it.")]


def in_force() -> tuple[Governance, Ledger]:
    """The governance in force and the ledger, for a command that only reads.

    Promotions that an interruption left unfinished, and what is wrong with those in the ledger, go to stderr.
    """
    where = shared.root()
    governed, ledger = installed_governance(where, None), open_ledger(where / ".hallmark")
    for label in promotion.unfinished(governed, ledger):
        print(
            f"hallmark: the promotion of {label} is not finished; `hallmark up` finishes or undoes it", file=sys.stderr
        )
    for wrong in releases.problems(ledger, governed):
        print(f"hallmark: not counted: {wrong}", file=sys.stderr)
    return governed, ledger


def settled() -> tuple[Governance, Ledger]:
    """The same for a command that changes something, after finishing or undoing what is unfinished."""
    where = shared.root()
    governed, ledger = installed_governance(where, None), open_ledger(where / ".hallmark")
    for text in promotion.reconcile(governed, ledger):
        print(f"hallmark: {text}", file=sys.stderr)
    return in_force()
