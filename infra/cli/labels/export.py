"""Command `hallmark labels export`: the task file of an annotator."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.labels import round_context
from infra.cli.labels.round_context import FormChoice
from tasks.labels import handout, participants


def export(
    round_id: round_context.RoundId,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", dir_okay=False, help="File to write.")],
    form: round_context.FormOption = FormChoice.jsonl,
    annotator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Annotator whose file it is. Default: you.")
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Write the task file of an annotator: their rows, with gold examples that nothing marks.

    You export your own file, or as lead of the round anybody's. The ledger gets an entry before the file is written.
    For Label Studio the command prints the labelling interface of the project too.

    Example: hallmark labels export mails-1 --form xlsx --to mails-1.xlsx --as ada
    """
    here = shared.open_checkout()
    files, actor = round_context.read_round(here, round_id), round_context.access_of_actor(here, who)
    if annotator not in (None, actor.person.id):
        participants.require_lead(files.round, actor.person.id)
    reader = participants.require_annotator(files.round, annotator or actor.person.id)
    participants.require_may_receive(files.round, reader, actor, here.governance)
    participants.require_not_withdrawn(files.round.sources, here.ledger, here.governance)
    round_context.hand_out_task(files, handout.annotator_task(files, reader), form, to, actor.person.id, as_json)
