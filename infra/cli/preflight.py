"""Command `hallmark preflight`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.errors import Refused


def preflight(
    params: Annotated[Path | None, typer.Option("--params", metavar="FILE", help="Another params file.")] = None,
    changes: shared.Changes = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Train for some seconds on this machine, and go by that speed.")
    ] = False,
    as_json: shared.Json = False,
) -> None:
    """Estimate whether the training fits into memory, how long it takes and what it costs.

    If it does not fit, the command suggests a change that would make it fit, and exits with code 1.

    Example: hallmark preflight --set training.lora_rank=64 --set resources.memory_gib=80
    """
    from tasks.runs.requests import training_estimate  # imports libraries of models, which takes a second

    estimate = training_estimate.estimate_training(
        shared.checkout_root(), params, shared.parse_changes(changes), calibrate
    )
    if as_json:
        shared.print_json(training_estimate.to_json_document(estimate))
    else:
        _print(estimate, training_estimate.to_json_document(estimate))
    if estimate.trains_here:
        training_estimate.require_training_hardware(estimate.estimate.training)
    if estimate.estimate.fits_memory is False or estimate.estimate.lacks_disk_space:
        raise Refused(training_estimate.remedy_sentence(estimate.estimate))


def _print(told: Any, document: dict[str, Any]) -> None:
    from tasks.stages.train.preflight.machine_capacity import GIB

    console.print(f"{told.model}: {document['parameters']:,} weights, {document['trained']:,} of them trained")
    table = Table("of a worker's memory", "GiB", box=None)
    for name, size in document["memory"].items():
        if size:
            table.add_row(name, f"{size / GIB:.2f}")
    console.print(table)
    for line in document["lines"]:
        console.print(line)
