"""Table of a dataset as its owners see it: a line for each source, and the changes since the last approved dataset."""

from rich.table import Table

from infra.cli.shared import console
from tasks.core.formatting import format_share
from tasks.gates import decision_summary, evidence_text
from tasks.gates.checks.dataset_diff import DatasetChange
from tasks.sources.dataset import SIDES, Dataset, DatasetSource


def show(dataset: Dataset, change: DatasetChange | None, approved: bool = True) -> None:
    """Print a dataset and, if given, its differences from another dataset.

    If `approved` is True, that other dataset is the one approved last.
    """
    table = Table(
        "source", "owner", "rows", "quarantined", "protected", *SIDES, "content", box=None, header_style="bold"
    )
    for name, source in sorted(dataset.sources.items(), key=lambda item: (item[1].owner, item[0])):
        table.add_row(name, *_cells(source), change.sources[name].content if change else "")
    console.print(table)
    for name, source in dataset.sources.items():
        console.print(
            f"  {name}: {', '.join(f'{what} {said}' for what, said in decision_summary.terms(source).items())}"
        )
    for line in evidence_text.dataset(dataset, change, approved):
        console.print(f"  {line}")


def _cells(source: DatasetSource) -> list[str]:
    return [
        source.owner,
        f"{source.rows_read:,}",
        f"{format_share(source.quarantined_share)}{evidence_text.counts_by_rule(source.quarantined)}",
        decision_summary.found(source),
        *(f"{source.rows[side]:,}" for side in SIDES),
    ]
