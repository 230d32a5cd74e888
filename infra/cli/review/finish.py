"""Command `hallmark review finish`: the signed result of an expert review."""

from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.labels import round_context
from infra.cli.shared import console
from tasks.gates.signed_review import REVIEW_KIND
from tasks.labels import participants
from tasks.review.finish import finish_review


def finish(
    review_id: Annotated[str, typer.Argument(metavar="NAME", help="Id of the review.")],
    partial: Annotated[bool, typer.Option("--partial", help="Finish although labels are missing.")] = False,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Finish a review that you lead, and sign its result. A finished review takes no more labels.

    The run's evaluation gate judges the newest signed review. If the gate has been asked already, it is asked anew with
    the review when the run goes on.

    Example: hallmark review finish mails-1 --as product-owner
    """
    here = shared.open_checkout()
    files, actor = round_context.read_round(here, review_id), round_context.access_of_actor(here, who)
    participants.require_lead(files.round, actor.person.id)
    participants.require_access_to_rows(files.round, actor)
    entry = finish_review(files, here.governance, partial)
    said = REVIEW_KIND.unverified_document(entry.body["envelope"])
    if as_json:
        shared.print_json({"round": said.round, "run": said.run, "ledger_entry": entry.seq, **said.json_value})
        return
    console.print(f"result of review {said.round} of run {said.run} signed by {said.person}: entry {entry.seq}")
    console.print(f"  hallmark review results {said.round}")
    console.print(f"  hallmark run --resume {said.run}")
