"""Table of a dataset for its owners: a line for each source, and the changes since the last approved dataset."""

from rich.table import Table

from infra.cli.shared import console
from tasks.core.formatting import format_share
from tasks.gates import decision_summary, evidence_text
from tasks.gates.checks.dataset_diff import DatasetChange
from tasks.sources.dataset import PARTITIONS, Dataset, DatasetSource


def print_dataset(dataset: Dataset, change: DatasetChange | None, approved: bool = True) -> None:
    """Print a dataset and, if given, its differences from another dataset.

    `approved` says whether the other dataset is the one that was approved last.
    """
    table = Table(
        "source", "owner", "rows", "quarantined", "protected", *PARTITIONS, "content", box=None, header_style="bold"
    )
    for name, source in sorted(dataset.sources.items(), key=lambda item: (item[1].owner, item[0])):
        table.add_row(name, *_cells(source), change.sources[name].content if change else "")
    console.print(table)
    for name, source in dataset.sources.items():
        console.print(
            f"  {name}: {', '.join(f'{what} {said}' for what, said in decision_summary.source_terms(source).items())}"
        )
        for text in decision_summary.source_detector_texts(source):
            console.print(f"  {name}: own detector {text}", soft_wrap=True)
    for line in evidence_text.dataset_lines(dataset, change, approved):
        console.print(f"  {line}")


def _cells(source: DatasetSource) -> list[str]:
    return [
        source.owner,
        f"{source.rows_read:,}",
        f"{format_share(source.quarantined_share)}{evidence_text.rule_counts_text(source.quarantined)}",
        decision_summary.protected_values_text(source),
        *(f"{source.rows[side]:,}" for side in PARTITIONS),
    ]
