"""Command-line argument that names a run, by its full id or by an abbreviation.

An abbreviation is the beginning or the end of only one run's id, with at least four characters.
"""

import typer

from infra.cli import shared

RUN_ID_HELP = "Run id, as `hallmark runs list` shows it, or enough of its beginning or end."


def expand_run_id(given: str) -> str:
    """Expand an abbreviated run id from the command line.

    Raises:
        InputError: More than one run matches.
    """
    from tasks.runs import abbreviated_ids  # slow: imports the database library, which `--help` does not need

    return abbreviated_ids.expand_run_id(shared.checkout_root() / ".hallmark", given)


REQUIRED_RUN = typer.Argument(metavar="RUN", help=RUN_ID_HELP, parser=expand_run_id)
OPTIONAL_RUN = typer.Argument(metavar="RUN", help=f"{RUN_ID_HELP} Default: the last run.", parser=expand_run_id)
