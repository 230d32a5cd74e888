"""Command `hallmark reproduce`."""

import os
from typing import Annotated

import typer
from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.progress_display import ProgressDisplay
from infra.cli.release_context import open_to_read
from infra.cli.shared import console
from infra.cli.terminal import LiteralConsole
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import releases
from tasks.reproduce import reproduction
from tasks.reproduce.original import Original
from tasks.reproduce.reproduction import Reproduction
from tasks.runs.git.repository import Repository
from tasks.runs.request import require_run_id
from tasks.runs.run import GIT_REMOTE_VARIABLE, run_ref
from tasks.suppression import in_force

EXIT_CODES = {"identical": 0, "differs": 1, "incomplete": 3}


def reproduce(
    named: Annotated[
        str,
        typer.Argument(
            metavar="RELEASE|RUN", help="A release, or a run whose package is made.", parser=run_argument.expand_run_id
        ),
    ],
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the worktree, so that you can look for a difference.")
    ] = False,
    as_json: shared.Json = False,
) -> None:
    """Build a release or a run again from its commit, without any cache, and compare the digest of every stage.

    The worker key of this machine signs the record of each stage that has the same digest. If the policy requires
    builds on more than one machine, build a run on another machine before its release gate.

    The exit code is 0 if all digests are identical, and 1 if one differs. It is 3 if some are missing and the others
    are identical.

    Example: hallmark reproduce support-triage-1
    """
    ledger, governed = open_to_read()
    checkout = Repository.open(shared.checkout_root())
    with ProgressDisplay(LiteralConsole(stderr=True) if as_json else console) as screen:
        screen.show_step(f"verifying {named}")
        original = _find_original(named, checkout, ledger, governed)
        made = reproduction.reproduce(checkout, original, ledger, governed, screen, keep)
    shared.print_json(made.model_dump(mode="json")) if as_json else _show(made)
    raise typer.Exit(EXIT_CODES[made.verdict])


def _find_original(named: str, checkout: Repository, ledger: Ledger, governed: Governance) -> Original:
    if any(release.label == named for release in releases.list_releases(ledger, governed)):
        if marks := in_force.release_marks(ledger).get(named):
            raise Refused(f"release {named} was {marks[-1]}")
        return Original.from_release(releases.get_release(ledger, governed, named), governed)
    try:
        commit = _commit_of(require_run_id(named), checkout)
    except InputError:
        releases.get_release(ledger, governed, named)  # its error lists the known releases
        raise
    return Original.from_run(named, commit, ledger, governed)


def _commit_of(run: str, checkout: Repository) -> str:
    try:
        return checkout.commit_id(run_ref(run))
    except InputError:
        remote = os.environ.get(GIT_REMOTE_VARIABLE)
        if not remote:
            raise
    try:
        return checkout.fetch_ref(remote, run_ref(run))
    except Unavailable as error:
        raise InputError(f"run {run} is neither here nor at {GIT_REMOTE_VARIABLE}: {error}") from None


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
        "identical": "identical: every stage and the payload have the same digests",
        "differs": "differs: what was built is something else",
        "incomplete": "incomplete: what could be built is the same, and some could not be",
    }
    about = f"{made.release}, run {made.run}" if made.release else f"run {made.run}"
    console.print(f"{about} at {made.commit[:12]}: {words[made.verdict]}")
    if not made.release and made.records:
        console.print(f"the worker's key of this machine signed {len(made.records)} of {len(made.stages)} stages")
    if made.kept:
        console.print(f"kept: {made.kept}")
