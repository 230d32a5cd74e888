"""Command `hallmark labels import`: the labels of an annotator."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.labels import round_context
from infra.cli.shared import console
from tasks.core.formatting import format_count
from tasks.labels import participants, submission
from tasks.labels.submission import ImportedLabels


def import_labels(
    round_id: round_context.RoundId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Task file with labels.")],
    annotator: Annotated[
        str | None, typer.Option(metavar="NAME", help="External whose labels you import as lead. Default: you.")
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Import a task file with labels, in any form in which it can be exported.

    The whole file is checked first: annotator, round, guideline, items, texts and labels. Items without a label are
    left for later. A second import is a new version, whose labels replace the earlier ones item by item. Every version
    stays in the round.

    Example: hallmark labels import mails-1 mails-1.xlsx --as ada
    """
    here = shared.open_checkout()
    files, actor = round_context.read_round(here, round_id), round_context.access_of_actor(here, who)
    if annotator not in (None, actor.person.id):
        participants.require_lead(files.round, actor.person.id)
    reader = participants.require_annotator(files.round, annotator or actor.person.id)
    participants.require_may_import(files.round, reader, actor.person.id)
    print_imported(submission.import_labels(files, reader, file), round_id, as_json)


def print_imported(done: ImportedLabels, round_id: str, as_json: bool) -> None:
    if as_json:
        shared.print_json({"round": round_id, **done._asdict()})
        return
    left = f"; {format_count(done.unlabelled, 'item')} of the file without a label" if done.unlabelled else ""
    console.print(f"{format_count(done.labels, 'label')} in round {round_id}, version {done.version}{left}")
