"""Checks before a command that reads the ledger: the root of trust, and signs that the ledger was changed."""

import sys
from collections.abc import Callable

import typer

from infra.cli import shared
from infra.ledger_signs import ADVICE, refusal, tampering_signs
from tasks.core.errors import Refused


def run_checked(verb: Callable[[], None], acts: bool) -> None:
    """Run a command after a check of the ledger for tampering.

    If the ledger was changed, a command that acts is refused. Any other command shows the ledger's content below a
    warning on stderr, and exits with code 1.

    Args:
        verb: The command.
        acts: Whether the command changes anything.

    Raises:
        Refused: The ledger was changed, and the command acts.
        InputError: The root of trust differs from the one that the environment or this checkout names.
    """
    wrong = tampering_signs(shared.checkout_root())
    if wrong and acts:
        raise Refused(refusal(wrong))
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
