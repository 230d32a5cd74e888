"""Command `hallmark labels adjudicate`: disagreements for an adjudicator, and their labels."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.labels import importing, round_context
from infra.cli.labels.round_context import FormChoice
from tasks.core.errors import InputError
from tasks.labels import handout, participants, submission
from tasks.labels.given_labels import read_given_labels


def adjudicate(
    round_id: round_context.RoundId,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", dir_okay=False, help="Write the open disagreements.")
    ] = None,
    decided: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Import the file with your labels.")
    ] = None,
    form: round_context.FormOption = FormChoice.jsonl,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Write the rows on which annotators disagree for an adjudicator, or import what the adjudicator decided.

    The file has the labels that were given, without who gave them. Only an adjudicator of the round may do this, and
    nobody who labels in it is one. An adjudicator's label takes precedence over those of annotators.

    Example: hallmark labels adjudicate mails-1 --to disagreements.jsonl --as data-owner
    """
    if (to is None) == (decided is None):
        raise InputError("say either --to FILE, to write the disagreements, or --from FILE, to import your labels")
    here = shared.open_checkout()
    files, actor = round_context.read_round(here, round_id), round_context.access_of_actor(here, who)
    reader = participants.require_adjudicator(files.round, actor.person.id)
    if decided is not None:
        importing.print_imported(submission.import_adjudicated(files, reader, decided), round_id, as_json)
        return
    assert to is not None
    participants.require_access_to_rows(files.round, actor)
    participants.require_not_withdrawn(files.round.sources, here.ledger, here.governance)
    task = handout.adjudicator_task(files, reader, read_given_labels(files))
    round_context.hand_out_task(files, task, form, to, actor.person.id, as_json)
