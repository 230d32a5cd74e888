"""Command `hallmark erase decide`."""

from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.erase.days import parse_day
from infra.cli.erase.plan import Id
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.erase import decisions
from tasks.suppression.place_kinds import DELETE, KEEP, RETRAIN, Verb


def decide(
    erasure: Id,
    kinds: Annotated[list[str], typer.Argument(metavar="KIND...", help="Kinds of places, as the plan lists them.")],
    reason: shared.Reason,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is there.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep it, for the reason that you give.")] = False,
    until: Annotated[
        str | None, typer.Option("--until", metavar="YYYY-MM-DD", help="Day until which it is kept.")
    ] = None,
    retrain_by: Annotated[
        str | None,
        typer.Option("--retrain-by", metavar="YYYY-MM-DD", help="Day by which another release replaces the releases."),
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Sign the decision about kinds of places. A later decision replaces an earlier one until it is carried out.

    The owners of the person's sources decide, and who signs changes of policy off. You may not decide on an erasure
    that you requested.

    Example: hallmark erase decide er-20300101-0a1b vault index runs --delete --reason "Art. 17" --as risk-officer
    """
    chosen: list[Verb] = [
        verb for verb, given in ((DELETE, delete), (KEEP, keep), (RETRAIN, retrain_by is not None)) if given
    ]
    if len(chosen) != 1:
        raise InputError("say one of --delete, --keep and --retrain-by YYYY-MM-DD")
    if until and retrain_by:
        raise InputError("--until belongs to --keep; the day of --retrain-by is enough")
    day = parse_day("--retrain-by", retrain_by) or parse_day("--until", until)
    here = shared.open_checkout()
    entry = decisions.decide(here, erasure, kinds, chosen[0], reason, day, shared.acting_person(who))
    if as_json:
        shared.print_json({"erasure": erasure, "kinds": kinds, "verb": chosen[0], "ledger_entry": entry.seq})
    else:
        console.print(f"{erasure}: {chosen[0]} {', '.join(kinds)}; entry {entry.seq} of the ledger")
