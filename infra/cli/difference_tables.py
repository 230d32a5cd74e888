"""Tables of the differences between two runs or releases."""

from collections.abc import Iterable, Mapping

from rich.table import Table

from infra.cli.shared import console
from tasks.core.facts import Fact
from tasks.gates.checks.dataset_diff import ValueChange
from tasks.inquiry.shared_records import DatasetDiff
from tasks.registry.history.comparison import MetricChange


def print_settings(title: str, changes: Mapping[str, ValueChange]) -> None:
    console.print(f"\n{title}")
    if not changes:
        console.print("  the same")
        return
    table = Table("", "before", "now", box=None, header_style="bold")
    for name, pair in changes.items():
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


def print_code(changed_inputs: Iterable[str], changed_files: list[str] | None, unknown_reason: str) -> None:
    """Print the differences in code, inputs and libraries.

    Args:
        changed_inputs: Names of the inputs whose digests differ.
        changed_files: Lines about the changed code files; None if it is unknown which files changed.
        unknown_reason: Reason why the changed files are unknown.
    """
    console.print("\nCODE")
    others = list(changed_inputs)
    if not others:
        console.print("  code, inputs and library versions: the same digests")
    for name in others:
        console.print(f"  {name}: another digest")
    if changed_files is None:
        console.print(f"  files: {unknown_reason}")
    for line in changed_files or []:
        console.print(f"  {line}")


def print_metrics(metrics: Mapping[str, MetricChange], same_test: bool) -> None:
    console.print("\nFIGURES of the candidate")
    if not same_test:
        console.print("  tested on different rows: a difference may be the rows'")
    table = Table("figure", "before", "now", "intervals", box=None, header_style="bold")
    for name, figure in metrics.items():
        table.add_row(name, format_fact(figure.before), format_fact(figure.now), figure.intervals.replace("none", ""))
    console.print(table)


def format_fact(fact: Fact | None) -> str:
    if fact is None:
        return "–"
    low, high = fact.low, fact.high
    interval = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    return f"{fact.value:,.4g}{f' {fact.unit}' if fact.unit else ''}{interval}"
