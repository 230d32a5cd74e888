"""Command `hallmark data manifest`: the sources of a run's dataset."""

from typing import Annotated

from infra.cli import dataset_table, run_argument, shared
from infra.cli.data.default_run import layout_of_run
from tasks.core.errors import InputError
from tasks.gates import cases, evidence, passed_evidence
from tasks.gates.checks.dataset_diff import DatasetChange
from tasks.runs.run import open_run
from tasks.sources.dataset import Dataset


def manifest(
    run: Annotated[str | None, run_argument.OPTIONAL_RUN] = None,
    as_json: shared.Json = False,
) -> None:
    """Show the sources of a run's dataset, and the differences from the last approved dataset.

    Example: hallmark data manifest 20260303-120000-a1b2
    """
    dataset, change = _read_dataset(run)
    if as_json:
        known = change.model_dump(mode="json") if change else None
        shared.print_json({"dataset": dataset.model_dump(mode="json"), "change": known})
    else:
        dataset_table.print_dataset(dataset, change)


def _read_dataset(named: str | None) -> tuple[Dataset, DatasetChange | None]:
    here = shared.open_checkout()
    run = named or layout_of_run(here.root, None, "split").root.name
    opened, ledger = open_run(here.root, run), here.ledger
    for case in reversed(cases.read_cases(ledger, run, "data")):
        if case.evidence.dataset:
            return case.evidence.dataset, case.evidence.change
    dataset = evidence.read_dataset(opened.layout)
    if dataset is None:
        raise InputError(f"run {run} has no dataset yet; name a run that has been through `split`")
    before = passed_evidence.last_passed_evidence(ledger, opened.params.use_case.name, opened.request.demo_approvals)
    return dataset, evidence.dataset_change(before, dataset)
