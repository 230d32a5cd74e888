"""Command `hallmark releases admit`."""

import socket
from dataclasses import fields
from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.progress_display import showing_step
from infra.cli.shared import console
from tasks.registry.admit import admission
from tasks.registry.admit.admission import AdmittedRelease

LEDGER_NOTICE = (
    "the ledger cannot be reached or was changed, so this is what was admitted here last; a newer release may be in "
    "production (`hallmark ledger verify`)"
)


def admit(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model: use_case.name of its runs.")],
    as_json: shared.Json = False,
) -> None:
    """Verify the release in production, print the folder to load it from, and record the admission in the ledger.

    A server must not load any other folder. --json also prints the settings for inference: system prompts, chat
    template, decoding and precision. If the ledger cannot be reached or was changed, the release last admitted here
    stays admitted.

    Example: hallmark releases admit support-triage
    """
    with showing_step(f"verifying what is in production of {name}", None if as_json else console):
        admitted = admission.admit_in_checkout(shared.checkout_root(), name, server=socket.gethostname())
    if admitted.ledger_unavailable:
        shared.print_notice(LEDGER_NOTICE, as_json)
    if as_json:
        shared.print_json(admission_document(admitted))
        return
    console.print(f"{admitted.label}, promotion statement {admitted.sequence}, SHA-256 {admitted.release_sha256}")
    console.print(f"  model  {admitted.model}")
    if admitted.base:
        console.print(f"  base   {admitted.base}, SHA-256 {admitted.base_sha256}")
    for task, system in admitted.inference_settings.system.items():
        console.print(f"  task   {task}, system prompt {system!r}" if system else f"  task   {task}, no system prompt")
    for task, template in admitted.inference_settings.template.items():
        console.print(f"  task   {task}, template {template!r}")
    decoding = admitted.inference_settings.decoding
    console.print(
        f"  asked  greedily, {decoding.max_new_tokens} new tokens at most, in {admitted.inference_settings.dtype}"
    )


def admission_document(admitted: AdmittedRelease) -> dict[str, Any]:
    values = {field.name: getattr(admitted, field.name) for field in fields(admitted)}
    return values | {"asking": admitted.inference_settings.model_dump(mode="json")}
