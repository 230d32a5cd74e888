"""`hallmark params`"""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.core.params import params as schema


def params(
    check: Annotated[Path | None, typer.Option(metavar="FILE", help="Check a params file.")] = None,
    show_schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of params.yaml.")] = False,
) -> None:
    """Check a params file, or print the schema of params.yaml.

    Example: hallmark params --check params.yaml
    """
    if show_schema:
        shared.print_json(schema.Params.model_json_schema())
    elif check is not None:
        checked = schema.load(check)
        console.print(f"{check}: valid, use case {checked.use_case.name}, risk tier {checked.use_case.risk_tier}")
    else:
        raise InputError("say --check FILE or --schema")
