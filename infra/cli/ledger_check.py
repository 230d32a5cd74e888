"""Checks before a command that reads the ledger: the root of trust, and signs of tampering with the ledger."""

import sys
from collections.abc import Callable

import typer

from infra.cli import shared
from infra.ledger_signs import tampering_signs
from tasks.ledger import quick_check


def run_after_ledger_check(command: Callable[[], None], changes_something: bool) -> None:
    """Check the ledger for signs of tampering, then run a command.

    If the ledger was changed, a command that acts is refused. Any other command shows the ledger's content below a
    warning on stderr, and exits with code 1.

    Args:
        command: Function that runs the command.
        changes_something: Whether the command changes anything.

    Raises:
        Refused: The ledger was changed, and the command acts.
        InputError: The root of trust differs from the one that the environment or this checkout names.
    """
    wrong = tampering_signs(shared.checkout_root())
    if wrong and changes_something:
        raise quick_check.changed_error(wrong)
    for text in wrong:
        print(f"hallmark: {quick_check.problem_message(text)}", file=sys.stderr)
    if wrong:
        print(f"hallmark: what follows is what it says now, and may be false; {quick_check.ADVICE}", file=sys.stderr)
    try:
        command()
    except typer.Exit as ended:
        if ended.exit_code:
            raise
    if wrong:
        raise typer.Exit(1)
