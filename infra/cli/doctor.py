"""Command `hallmark doctor`."""

import typer

from infra.cli import shared
from infra.cli.shared import console
from infra.doctor import diagnostics


def doctor(as_json: shared.Json = False) -> None:
    """Report what is missing or out of date in this checkout, with the commands that repair it. Nothing is changed.

    The exit code is 1 if anything needs repair.

    Example: hallmark doctor
    """
    lines = list(diagnostics.run_diagnostics(shared.checkout_root()))
    todo = [line for line in lines if line.do]
    if as_json:
        shared.print_json([line._asdict() for line in lines])
    else:
        shared.print_table(
            ["", "look", "found"], [["!" if line.do else "", line.look, line.says] for line in lines], ""
        )
        console.print(f"\n{len(todo)} to mend, the first first:" if todo else "\nall is well")
        for line in todo:
            console.print(f"  {line.look}: {line.do}")
    if todo:
        raise typer.Exit(1)
