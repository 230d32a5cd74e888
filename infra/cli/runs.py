"""How commands take a run: by its id, or by four characters or more that begin or end one alone."""

import typer

from infra.cli import shared

HELP = "Run id, as `hallmark status` shows it, or enough of its beginning or end."


def meant(given: str) -> str:
    """What the command line says, as the id of a run. Raises InputError where it fits several."""
    from tasks.runs import named  # takes a database, which who only asks for help need not wait for

    return named.meant(shared.root() / ".hallmark", given)


ARGUMENT = typer.Argument(metavar="RUN", help=HELP, parser=meant)
NEWEST = typer.Argument(metavar="RUN", help=f"{HELP} Default: the last run.", parser=meant)
