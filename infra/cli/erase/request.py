"""Command `hallmark erase request`."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.erase.days import parse_day
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.erase import requests
from tasks.erase.mentions import UNKNOWN

FROM_INPUT = "-"
MAX_COMPANIONS = 10


def request(
    identity: Annotated[str, typer.Option(help="How the identity of who asks was verified, without naming them.")],
    basis: Annotated[str, typer.Option(help="Legal basis, such as 'GDPR Art. 17 (1) b'.")],
    deadline: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Day by which it must be done.")],
    subject: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VALUE", help="A name, e-mail address or number of the person; - reads it unseen. May be repeated."
        ),
    ] = None,
    record: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Id of a record about the person. May be repeated.")
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Find the records of a person, and sign the request to erase them. You are who verified their identity.

    The values that you give are stored in the vault alone, encrypted, until the erasure is certified. The ledger keeps
    keyed digests of them. You must be allowed to look at the records of every source. Give `--subject -` so that your
    shell keeps no value: it is asked for unseen, or read from standard input, one a line.

    Nothing is recorded if nothing is known about the person, or if the values may be those of several people. Asking
    twice for the same person returns the same erasure.

    Example: hallmark erase request --subject - --identity "passport at the counter" --basis "GDPR Art. 17
    (1) b" --deadline 2030-01-31 --as data-owner
    """
    day = parse_day("--deadline", deadline)
    if day is None:
        raise InputError("--deadline: say the day by which it must be done")
    here = shared.open_checkout()
    made = requests.request_erasure(
        here, list(_values(subject or [])), record or [], shared.acting_person(who), identity, basis, day
    )
    if as_json:
        shared.print_json(made._asdict())
        return
    known = "requested" if made.is_new else "was requested before, and nothing new was recorded"
    console.print(f"erasure {made.erasure}: {known}; {made.records:,} records are about the person")
    if made.unattributed:
        console.print(
            f"{made.unattributed:,} records mention this name or number and nothing else of the person, and may be "
            "about others: they are not part of it. Look at them, and name those of the person by --record ID"
        )
    _print_companions(made.companions)
    console.print(f"next: hallmark erase plan {made.erasure}")


def _values(given: Sequence[str]) -> Iterator[str]:
    for value in given:
        if value != FROM_INPUT:
            yield value
        elif sys.stdin.isatty():
            yield typer.prompt("name, address or number", hide_input=True)
        else:
            yield from filter(None, (line.strip() for line in sys.stdin))


def _print_companions(companions: Mapping[str, int]) -> None:
    named = [(token, count) for token, count in companions.items() if not token.startswith(f"{UNKNOWN}:")]
    for token, count in named[:MAX_COMPANIONS]:
        console.print(
            f"[{token}] in {count:,} of these records: give it as another --subject if it is theirs", soft_wrap=True
        )
    if more := len(companions) - len(named[:MAX_COMPANIONS]):
        console.print(f"{more:,} more names, addresses and numbers in these records: `hallmark data show` reveals them")
