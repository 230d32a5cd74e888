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
    """The governance in force and the ledger, after finishing or undoing what a crash left of a promotion.

    What it did, and what is wrong with the promotions in the ledger, goes to stderr, beside whatever is asked.
    """
    where = shared.root()
    governed, ledger = installed_governance(where, None), open_ledger(where / ".hallmark")
    for told in promotion.reconcile(governed, ledger):
        print(f"hallmark: {told}", file=sys.stderr)
    for wrong in releases.problems(ledger, governed):
        print(f"hallmark: not counted: {wrong}", file=sys.stderr)
    return governed, ledger
