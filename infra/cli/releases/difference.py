"""Command `hallmark releases diff`: the differences between two releases."""

from typing import Annotated

import typer

from infra import release_diff
from infra.cli import dataset_table, shared
from infra.cli import difference_tables as shown
from infra.cli.release_context import open_to_read
from infra.cli.shared import console
from tasks.registry.history.comparison import ReleaseDifference
from tasks.registry.history.release_contents import ReleaseContents

Named = Annotated[str, typer.Argument(metavar="RELEASE", help="NAME-VERSION, or the folder of a release.")]


def diff(before: Named, now: Named, as_json: shared.Json = False) -> None:
    """Show the differences between two releases: data, parameters, code, base model, metrics, policy, people.

    If one of the releases does not verify here, the differences are still printed, and the exit code is 1.

    Example: hallmark releases diff support-triage-1 support-triage-2
    """
    ledger, governed = open_to_read()
    changes, latest = release_diff.compare_releases(shared.checkout_root(), before, now, ledger, governed)
    shared.print_json(changes.model_dump(mode="json")) if as_json else _show(changes, latest)
    raise typer.Exit(1 if changes.before.against or changes.now.against else 0)


def _show(changes: ReleaseDifference, now: ReleaseContents) -> None:
    for side in (changes.before, changes.now):
        if side.against:
            console.print(f"NOT verified: {side.release} in {side.bundle}: {side.against}")
    first, second = (f"{side.release} (run {side.run})" for side in (changes.before, changes.now))
    console.print(f"from {first} to {second}")
    console.print("\nDATA")
    dataset_table.print_dataset(now.dataset, changes.data)
    shown.print_records(changes.records)
    shown.print_settings("PARAMETERS", changes.parameters)
    shown.print_code(changes.made_with, changes.code, changes.code_why)
    shown.print_settings("BASE MODEL", changes.base_model)
    shown.print_metrics(changes.figures, changes.same_test)
    shown.print_settings("POLICY", changes.policy)
    shown.print_settings("PEOPLE", changes.people)
