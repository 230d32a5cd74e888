"""Command `hallmark runs diff`: the differences between two runs."""

from typing import Annotated

from infra.cli import dataset_table, run_argument, shared
from infra.cli import difference_tables as shown
from infra.cli.shared import console
from tasks.runs.reporting import difference, paired_comparison, suite_comparison
from tasks.runs.reporting.difference import RunDifference
from tasks.sources.dataset import Dataset

Named = Annotated[str, run_argument.REQUIRED_RUN]


def diff(before: Named, now: Named, as_json: shared.Json = False) -> None:
    """Show the differences between two runs, released or not: parameters, data, code, metrics, and paired tests.

    The tests compare the answers of both candidates to the same rows, and to the same cases of evaluation suites. No
    digest or signature is verified.

    Example: hallmark runs diff 20260302-0300 20260303-0300
    """
    changes, dataset = difference.compare_runs(shared.checkout_root(), before, now)
    shared.print_json(changes.model_dump(mode="json")) if as_json else _show(changes, dataset)


def _show(changes: RunDifference, dataset: Dataset | None) -> None:
    first, second = (f"{side.run} ({side.status})" for side in (changes.before, changes.now))
    console.print(f"from run {first} to {second}")
    for line in changes.lacks:
        console.print(f"  {line}")
    shown.print_settings("OUTCOME", changes.outcome)
    shown.print_settings("PARAMETERS", changes.parameters)
    _print_data(changes, dataset)
    shown.print_code(changes.made_with, changes.code, "see above")
    shown.print_metrics(changes.figures, changes.same_test or not (changes.before.evaluated and changes.now.evaluated))
    print_paired_tests(changes)


def print_paired_tests(changes: RunDifference) -> None:
    if changes.paired:
        console.print("\nPAIRED TEST")
        for line in paired_comparison.comparison_sentences(changes.paired):
            console.print(f"  {line}")
    if changes.suites:
        console.print("\nSUITES: pass rate of the second minus that of the first, on the cases that both were asked")
        for suite in changes.suites:
            console.print(f"  {suite_comparison.comparison_sentence(suite)}")


def _print_data(changes: RunDifference, dataset: Dataset | None) -> None:
    console.print("\nDATA")
    if dataset is None or changes.data is None:
        console.print("  not compared: one of them has no dataset")
        return
    dataset_table.print_dataset(dataset, changes.data, approved=False)
    if changes.records:
        shown.print_records(changes.records)
    for name, pair in changes.digests.items():
        before, now = (str(value or "none")[:12] for value in (pair.before, pair.now))
        console.print(f"  digest of {name}: {before}, now {now}")
