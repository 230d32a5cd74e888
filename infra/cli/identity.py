"""`hallmark identity`: who is who, and the root of trust."""

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.govern import adopting

app = typer.Typer(help="The root of trust.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """The root of trust."""


@app.command()
def root(as_json: shared.Json = False) -> None:
    """Print the fingerprint of the root key, which all that is in force here follows from. Hand it to whoever verifies
    releases, by another way than the releases.

    Example: hallmark identity root
    """
    found = adopting.root_fingerprint(shared.root() / ".hallmark")
    shared.print_json({"root": found}) if as_json else console.print(found)
