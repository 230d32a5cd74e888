"""`hallmark releases diff`: what changed between two releases."""

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.table import Table

from infra import compared
from infra.cli import datasets, shared
from infra.cli.registered import in_force
from infra.cli.shared import console
from tasks.core.facts import Fact
from tasks.gates.checks.change import Moved
from tasks.inquiry.records_changed import RecordsChanged
from tasks.registry.history.declared import Declared
from tasks.registry.history.difference import Difference, Figure

Named = Annotated[str, typer.Argument(metavar="RELEASE", help="NAME-VERSION, or the folder of a release.")]


def diff(before: Named, now: Named, as_json: shared.Json = False) -> None:
    """Show what changed from one release to another: data, parameters, code, base model, figures, policy, people.

    Exit code 1: one of them does not verify here. The command prints the differences all the same.

    Example: hallmark releases diff support-triage-1 support-triage-2
    """
    ledger, governed = in_force()
    changes, latest = compared.releases_here(shared.root(), before, now, ledger, governed)
    shared.print_json(changes.model_dump(mode="json")) if as_json else _show(changes, latest)
    raise typer.Exit(1 if changes.before.against or changes.now.against else 0)


def _show(changes: Difference, now: Declared) -> None:
    for side in (changes.before, changes.now):
        if side.against:
            console.print(f"NOT verified: {side.release} in {side.bundle}: {side.against}")
    first, second = (f"{side.release} (run {side.run})" for side in (changes.before, changes.now))
    console.print(f"from {first} to {second}")
    console.print("\nDATA")
    datasets.show(now.dataset, changes.data)
    _records(changes.records)
    _moves("PARAMETERS", changes.parameters)
    console.print("\nCODE")
    _code_lines(changes)
    _moves("BASE MODEL", changes.base_model)
    console.print("\nFIGURES of the candidate")
    _figures(changes)
    _moves("POLICY", changes.policy)
    _moves("PEOPLE", changes.people)


def _records(changes: RecordsChanged) -> None:
    if changes.how == "same":
        console.print("  records: the very same dataset")
    if changes.why:
        console.print(f"  records: {changes.why}")
    if not changes.sources:
        return
    table = Table("records of", "kept", "on the other side", "added", "removed", "relabelled", box=None)
    for name, it in changes.sources.items():
        again = "?" if it.relabelled is None else f"{it.relabelled:,}"
        table.add_row(name, f"{it.kept:,}", f"{it.moved:,}", f"{it.added:,}", f"{it.removed:,}", again)
    console.print(table)


def _code_lines(changes: Difference) -> None:
    if not changes.made_with:
        console.print("  code, inputs and library versions: the same digests")
    for name in changes.made_with:
        console.print(f"  {name}: another digest")
    if changes.code is None:
        console.print(f"  files: {changes.code_why}")
    for line in changes.code or []:
        console.print(f"  {line}")


def _moves(title: str, moved: Mapping[str, Moved]) -> None:
    console.print(f"\n{title}")
    if not moved:
        console.print("  the same")
        return
    table = Table("", "before", "now", box=None, header_style="bold")
    for name, pair in moved.items():
        table.add_row(name, *("–" if value is None else str(value) for value in (pair.before, pair.now)))
    console.print(table)


def _figures(changes: Difference) -> None:
    if not changes.same_test:
        console.print("  tested on different rows: a difference may be the rows'")
    table = Table("figure", "before", "now", "intervals", box=None, header_style="bold")
    for name, figure in changes.figures.items():
        table.add_row(name, *_figure(figure))
    console.print(table)


def _figure(figure: Figure) -> list[str]:
    return [*(_fact(fact) for fact in (figure.before, figure.now)), figure.intervals.replace("none", "")]


def _fact(fact: Fact | None) -> str:
    if fact is None:
        return "–"
    interval = f" [{fact.low:.3f}, {fact.high:.3f}]" if fact.low is not None and fact.high is not None else ""
    return f"{fact.value:,.4g}{f' {fact.unit}' if fact.unit else ''}{interval}"
