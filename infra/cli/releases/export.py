"""Command `hallmark releases export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.progress_display import ProgressDisplay
from infra.cli.release_context import open_to_read
from infra.cli.shared import console
from infra.cli.terminal import LiteralConsole
from tasks.core.errors import InputError, Unavailable, is_disk_full
from tasks.policy import root_of_trust
from tasks.policy.governance import Governance
from tasks.registry.export import export as exports
from tasks.registry.export.export import ExportOrder
from tasks.registry.export.statement import ExportStatement


class Form(StrEnum):
    adapter = "adapter"
    merged = "merged"
    gguf = "gguf"
    hub = "hub"


def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the model, or of its release in production.")],
    form: Annotated[Form, typer.Option("--form", help="What the folder is for.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to write; it must not exist.")],
    rows: Annotated[
        int | None, typer.Option(min=0, help="Ask at most this many rows of the evaluation. Default: all.")
    ] = None,
    base: Annotated[
        bool | None,
        typer.Option(
            "--with-base/--without-base",
            help="Put the base model beside an adapter. Default: only if the base model is on no hub.",
        ),
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Export the release in production to a folder that other tools load as it is.

    `adapter` is for PEFT, `merged` for transformers and vLLM, `gguf` for llama.cpp, and `hub` for an upload to a model
    hub. The exported model answers the rows of the evaluation. A signed statement in the folder says how many of its
    answers differ from those of the release. `hallmark releases verify DIR` verifies the folder. The ledger gets one
    entry.

    The exit code is 1 if an answer differs although the release was evaluated in float32, where none should.

    Example: hallmark releases export support-triage --form merged --to support-triage-merged --as ml-engineer
    """
    person = shared.acting_person(who)
    shared.require_outside_state(to)
    ledger, governed = open_to_read()
    order = ExportOrder(name, form.value, to.resolve(), person, rows, base)
    try:
        with ProgressDisplay(LiteralConsole(stderr=True) if as_json else console) as screen:
            said = exports.export_release(ledger, governed, order, screen.show_step)
    except OSError as error:
        raise (Unavailable if is_disk_full(error) else InputError)(
            f"{to}: cannot be written ({error.strerror or error}); name another with --to"
        ) from None
    if as_json:
        shared.print_json({"folder": str(order.target)} | said.model_dump(mode="json"))
    else:
        _show(said, order.target, governed)
    raise typer.Exit(1 if said.has_unexpected_differences else 0)


def _show(said: ExportStatement, folder: Path, governed: Governance) -> None:
    console.print(f"{said.release} as {said.form} in {said.dtype}{' (demonstration only)' * said.demo}: {folder}")
    console.print(f"  {said.describe_answers()}")
    if said.not_tried:
        console.print(f"  not tried: {', '.join(said.not_tried)}")
    if governed.chain:
        root = root_of_trust.root_fingerprint(governed.state)
        console.print(f"whoever gets it: hallmark releases verify DIR --root {root}")
