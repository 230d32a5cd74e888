"""Argument of commands that name a run: its id, or at least four characters at the beginning or end of only one id."""

import typer

from infra.cli import shared

HELP = "Run id, as `hallmark runs list` shows it, or enough of its beginning or end."


def resolve_id(given: str) -> str:
    """Expand an abbreviated run id from the command line.

    Raises:
        InputError: More than one run matches.
    """
    from tasks.runs import abbreviated_ids  # slow: imports the database library, which `--help` does not need

    return abbreviated_ids.expand(shared.checkout_root() / ".hallmark", given)


REQUIRED = typer.Argument(metavar="RUN", help=HELP, parser=resolve_id)
OPTIONAL = typer.Argument(metavar="RUN", help=f"{HELP} Default: the last run.", parser=resolve_id)
