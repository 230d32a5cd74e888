"""Command `hallmark params`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError
from tasks.core.params import params as schema


def params(
    check: Annotated[Path | None, typer.Option(metavar="FILE", help="Check a params file.")] = None,
    governance: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --check: these files, and the sources they name, too."),
    ] = None,
    show_schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of params.yaml.")] = False,
) -> None:
    """Check a params file, or print the schema of params.yaml.

    With --governance, the command checks the governance files as well. It reports all mistakes of all files together.

    Example: hallmark params --check params.yaml
    """
    if show_schema:
        shared.print_json(schema.Params.model_json_schema())
    elif check is not None:
        checked = _check_files(check, governance) if governance else schema.load(check)
        console.print(f"{check}: valid, use case {checked.use_case.name}, risk tier {checked.use_case.risk_tier}")
    else:
        raise InputError("say --check FILE or --schema")


def _check_files(file: Path, folder: Path) -> schema.Params:
    from tasks.policy import governance as rules  # slow: these import libraries for databases and tables
    from tasks.runs import request_checks

    root, mistakes = shared.checkout_root(), ErrorCollector()
    read = request_checks.check_files(
        root, str(file.resolve()), {}, folder, lambda: rules.load(folder, root / ".hallmark"), mistakes
    )
    mistakes.raise_errors()
    assert read.params
    return read.params
