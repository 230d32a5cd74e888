"""Command `hallmark erase request`."""

from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.erase.days import parse_day
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.erase import requests


def request(
    identity: Annotated[str, typer.Option(help="How the identity of who asks was verified, without naming them.")],
    basis: Annotated[str, typer.Option(help="Legal basis, such as 'GDPR Art. 17 (1) b'.")],
    deadline: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Day by which it must be done.")],
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE", help="A name, e-mail address or number of the person. May be repeated."),
    ] = None,
    record: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Id of a record about the person. May be repeated.")
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Find the records of a person, and sign the request to erase them. You are who verified their identity.

    The values that you give are stored in the vault alone, encrypted, until the erasure is certified. The ledger keeps
    keyed digests of them. You must be allowed to look at the records of every source.

    Nothing is recorded if nothing is known about the person, or if the values may be those of several people. Asking
    twice for the same person returns the same erasure.

    Example: hallmark erase request --subject ada@example.org --identity "passport at the counter" --basis "GDPR Art. 17
    (1) b" --deadline 2030-01-31 --as data-owner
    """
    day = parse_day("--deadline", deadline)
    if day is None:
        raise InputError("--deadline: say the day by which it must be done")
    here = shared.open_checkout()
    made = requests.request_erasure(here, subject or [], record or [], shared.acting_person(who), identity, basis, day)
    if as_json:
        shared.print_json(made._asdict())
        return
    known = "requested" if made.is_new else "was requested before, and nothing new was recorded"
    console.print(f"erasure {made.erasure}: {known}; {made.records:,} records are about the person")
    if made.unattributed:
        console.print(
            f"{made.unattributed:,} records name somebody of this name and nothing else, and others of this name are "
            "known: they are not part of it. Look at them, and name those of the person by --record ID"
        )
    console.print(f"next: hallmark erase plan {made.erasure}")
