"""Command `hallmark erase execute`."""

import typer

from infra.cli import shared
from infra.cli.erase.plan import Id
from infra.cli.erase.verify import print_places
from infra.cli.shared import console
from tasks.erase import execution
from tasks.suppression.place_kinds import OTHER


def execute(erasure: Id, as_json: shared.Json = False) -> None:
    """Carry out what was decided about a person, step by step. You may repeat the command after an interruption.

    From the first step on, new runs leave the person's rows out. The rows of the sources are taken out by their owners.
    The exit code is 1 if something is left that nobody decided to keep.

    Example: hallmark erase execute er-20300101-0a1b
    """
    done = execution.execute(shared.open_checkout(), erasure, lambda line: shared.print_notice(line, as_json))
    if as_json:
        left = [place._asdict() for place in done.remaining]
        shared.print_json({"erasure": erasure, "steps": done.steps, "remaining": left})
    elif done.remaining:
        console.print("still there, though nobody decided to keep it:")
        print_places(done.remaining)
        if any(place.kind == OTHER for place in done.remaining):
            console.print(f"decide about other files: hallmark erase decide {erasure} {OTHER} --delete or --keep")
    else:
        console.print(f"nothing is left but what is kept; next: hallmark erase certify {erasure} --to FILE")
    raise typer.Exit(1 if done.remaining else 0)
