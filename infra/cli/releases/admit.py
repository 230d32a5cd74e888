"""`hallmark releases admit`"""

import socket
from dataclasses import fields
from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.screen import busy
from infra.cli.shared import console
from tasks.registry.admit import admission
from tasks.registry.admit.admission import Admitted


def admit(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model: use_case.name of its runs.")],
    as_json: shared.Json = False,
) -> None:
    """Verify the release in production and print the folder to load it from. The ledger records it.

    A server must load no other folder. --json says also how to ask the model: system prompts, chat template, decoding,
    precision. Where the ledger is away, the release admitted here last goes on.

    Example: hallmark releases admit support-triage
    """
    with busy(f"verifying what is in production of {name}", None if as_json else console):
        found = admission.admit_here(shared.root(), name, server=socket.gethostname())
    if as_json:
        shared.print_json(document(found))
        return
    console.print(f"{found.label}, promotion statement {found.sequence}, SHA-256 {found.release_sha256}")
    console.print(f"  model  {found.model}")
    if found.base:
        console.print(f"  base   {found.base}, SHA-256 {found.base_sha256}")
    for task, system in found.asking.system.items():
        console.print(f"  task   {task}, system prompt {system!r}" if system else f"  task   {task}, no system prompt")
    decoding = found.asking.decoding
    console.print(f"  asked  greedily, {decoding.max_new_tokens} new tokens at most, in {found.asking.dtype}")


def document(found: Admitted) -> dict[str, Any]:
    """What --json prints."""
    told = {field.name: getattr(found, field.name) for field in fields(found)}
    return told | {"asking": found.asking.model_dump(mode="json")}
