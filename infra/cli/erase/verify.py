"""Command `hallmark erase verify`."""

from collections.abc import Sequence

import typer

from infra.cli import shared
from infra.cli.erase.plan import Id
from infra.cli.shared import console
from tasks.core.formatting import format_bytes
from tasks.erase import subject, verification
from tasks.erase.verification import FoundPlace
from tasks.suppression import cases
from tasks.suppression.place_kinds import DELETE


def verify(erasure: Id, as_json: shared.Json = False) -> None:
    """Search all files below .hallmark, DVC's remote and the sources for a person's values, tokens and record ids.

    Parquet, gzip, Zstandard, ZIP, SQLite and Base64 are unpacked. What was not searched is listed. The exit code is 1
    if something is found that nobody decided to keep.

    Example: hallmark erase verify er-20300101-0a1b
    """
    here = shared.open_checkout()
    case = cases.get_case(here.ledger, here.governance, erasure)
    found = verification.search_all(here, subject.unseal(here.state, erasure))
    kept = [kind for kind, decision in case.decisions.items() if decision.verb != DELETE]
    left = verification.undecided(found.places, kept)
    if as_json:
        document = found._asdict() | {"places": [place._asdict() for place in found.places]}
        shared.print_json({"erasure": erasure, "undecided": len(left)} | document)
    else:
        print_places(found.places)
        console.print(f"searched: {found.files:,} files, {format_bytes(found.bytes)}; not searched:")
        for text in found.not_searched:
            console.print(f"  {text}")
        console.print(f"{len(left):,} places that nobody decided to keep")
    raise typer.Exit(1 if left else 0)


def print_places(places: Sequence[FoundPlace]) -> None:
    rows = [[place.kind, place.path, ", ".join(place.what)] for place in places]
    shared.print_table(["kind", "place", "what"], rows, "nothing was found")
