"""`hallmark releases admit`"""

import socket
from dataclasses import fields
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.screen import busy
from infra.cli.shared import console
from tasks.registry import admission


def admit(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model: use_case.name of its runs.")],
    as_json: shared.Json = False,
) -> None:
    """Verify what is in production and print the folder to load it from; recorded on the ledger.

    For whoever starts a server: what this does not print must not be loaded. With the ledger away, what was admitted
    here before goes on.

    Example: hallmark releases admit support-triage
    """
    with busy(f"verifying what is in production of {name}", None if as_json else console):
        found = admission.admit_here(shared.root(), name, server=socket.gethostname())
    told = {field.name: getattr(found, field.name) for field in fields(found)}
    if as_json:
        shared.print_json(told)
        return
    console.print(f"{found.label}, promotion statement {found.sequence}, SHA-256 {found.release_sha256}")
    console.print(f"  model  {found.model}" + (f"\n  base   {found.base}" if found.base else ""))
