"""`hallmark reproduce`"""

from typing import Annotated

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.registered import Label, in_force
from infra.cli.screen import Screen
from infra.cli.shared import console
from infra.cli.terminal import Terminal
from tasks.registry.promote import releases
from tasks.reproduce import rebuild
from tasks.reproduce.rebuild import Reproduction
from tasks.runs.repository import Repository

EXIT = {"identical": 0, "differs": 1, "incomplete": 3}


def reproduce(
    release: Label,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the worktree, so that you can look for a difference.")
    ] = False,
    as_json: shared.Json = False,
) -> None:
    """Build a release again from its run's commit, with nothing from a cache, and compare the digest of every stage.

    Exit code 0: identical; 1: something differs; 3: something is away, and the rest is the same.

    Example: hallmark reproduce support-triage-1
    """
    ledger, governed = in_force()
    promoted = releases.get(ledger, governed, release)
    with Screen(Terminal(stderr=True) if as_json else console) as screen:
        made = rebuild.reproduce(Repository.open(shared.root()), promoted, ledger, governed, screen, keep)
    shared.print_json(made.model_dump(mode="json")) if as_json else _show(made)
    raise typer.Exit(EXIT[made.verdict])


def _show(made: Reproduction) -> None:
    table = Table("stage", "came out", "seconds", "wanted", "found", "", box=None, header_style="bold")
    for stage in made.stages:
        digest = stage.found[:12] if stage.found else "–"
        table.add_row(stage.stage, stage.came_out, f"{stage.seconds:.1f}", stage.wanted[:12], digest, stage.why)
    console.print(table)
    for note in made.notes:
        console.print(f"note: {note}")
    if made.verdict == "differs":
        console.print(f"note: another kind of processor may give other bits; this one: {made.machine}")
    words = {
        "identical": "identical: every stage and the payload have the release's digests",
        "differs": "differs: what was built is not the release",
        "incomplete": "incomplete: what could be built is the same, and some could not be",
    }
    console.print(f"{made.release}, run {made.run} at {made.commit[:12]}: {words[made.verdict]}")
    if made.kept:
        console.print(f"kept: {made.kept}")
