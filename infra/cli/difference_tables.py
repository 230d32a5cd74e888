"""Tables of the differences between two runs or releases."""

from collections.abc import Iterable, Mapping

from rich.table import Table

from infra.cli.shared import console
from tasks.core.facts import Fact
from tasks.gates.checks.dataset_diff import ValueChange
from tasks.inquiry.shared_records import DatasetDiff
from tasks.registry.history.comparison import Figure


def print_settings(title: str, moved: Mapping[str, ValueChange]) -> None:
    console.print(f"\n{title}")
    if not moved:
        console.print("  the same")
        return
    table = Table("", "before", "now", box=None, header_style="bold")
    for name, pair in moved.items():
        table.add_row(name, *("–" if value is None else str(value) for value in (pair.before, pair.now)))
    console.print(table)


def print_records(changes: DatasetDiff) -> None:
    if changes.how == "same":
        console.print("  records: the very same dataset")
    if changes.why:
        console.print(f"  records: {changes.why}")
    if not changes.sources:
        return
    table = Table("records of", "kept", "in the other partition", "added", "removed", "relabelled", box=None)
    for name, it in changes.sources.items():
        again = "?" if it.relabelled is None else f"{it.relabelled:,}"
        table.add_row(name, f"{it.kept:,}", f"{it.moved:,}", f"{it.added:,}", f"{it.removed:,}", again)
    console.print(table)


def print_code(made_with: Iterable[str], names: list[str] | None, why: str) -> None:
    """Print the differences in code, inputs and libraries.

    Args:
        made_with: Names of the inputs whose digests differ.
        names: Lines about the changed code files; None if the files are not known.
        why: Reason why the files are not known.
    """
    console.print("\nCODE")
    others = list(made_with)
    if not others:
        console.print("  code, inputs and library versions: the same digests")
    for name in others:
        console.print(f"  {name}: another digest")
    if names is None:
        console.print(f"  files: {why}")
    for line in names or []:
        console.print(f"  {line}")


def print_figures(found: Mapping[str, Figure], same_test: bool) -> None:
    console.print("\nFIGURES of the candidate")
    if not same_test:
        console.print("  tested on different rows: a difference may be the rows'")
    table = Table("figure", "before", "now", "intervals", box=None, header_style="bold")
    for name, figure in found.items():
        table.add_row(name, format_fact(figure.before), format_fact(figure.now), figure.intervals.replace("none", ""))
    console.print(table)


def format_fact(found: Fact | None) -> str:
    if found is None:
        return "–"
    low, high = found.low, found.high
    interval = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    return f"{found.value:,.4g}{f' {found.unit}' if found.unit else ''}{interval}"
