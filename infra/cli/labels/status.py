"""Command `hallmark labels status`: rounds, and the progress of one."""

from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.labels import round_context
from infra.cli.shared import console
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_duration, format_time
from tasks.labels import entries
from tasks.labels.progress import AnnotatorProgress, RoundProgress, read_progress
from tasks.labels.round_files import RoundFiles
from tasks.runs.checkout import Checkout


def status(
    round_id: Annotated[str | None, typer.Argument(metavar="[ROUND]", help="Id of a round. Default: list all.")] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Show rounds of labels: how many rows are labelled, disagreements, and what is adjudicated.

    What each annotator has done and how fast is shown to the person who leads the round alone, with --as. While a round
    is open, its counts are shown to its lead and adjudicators.

    Example: hallmark labels status mails-1 --as data-owner
    """
    here = shared.open_checkout()
    ids = [round_id] if round_id else here.ledger.subjects(entries.STARTED)
    reader = round_context.access_of_actor(here, who).person.id if who else None
    found = [
        read_progress(files, reader) for each in ids if (files := _read_round(here, each, bool(round_id), as_json))
    ]
    if as_json:
        shared.print_json([each.model_dump(mode="json") for each in found])
        return
    header = ["round", "state", "lead", "started", "guideline", "rows", "labelled", "disagreements", "adjudicated"]
    shared.print_table(header, [_cells(each) for each in found], "no round of labels was started here")
    for each in found:
        if each.annotators is not None:
            console.print(f"annotators of {each.round}:")
            shared.print_table(
                ["annotator", "pseudonym", "assigned", "labelled", "files", "last import", "median of a label"],
                [_annotator_cells(one) for one in each.annotators],
                "",
            )


def _read_round(here: Checkout, round_id: str, is_named: bool, as_json: bool) -> RoundFiles | None:
    """Return the files of a round. In a list of all rounds, one whose files cannot be read is left out and named."""
    try:
        return round_context.read_round(here, round_id)
    except (InputError, Refused):
        if is_named:
            raise
        shared.print_notice(f"round {round_id}: its files are not on this machine, or were changed", as_json)
        return None


def _cells(one: RoundProgress) -> list[str]:
    counts = (one.rows, one.labelled_rows, one.disagreements, one.adjudicated)
    said = (one.round, one.state, one.lead, format_time(one.started_at), one.guideline)
    return [*said, *("–" if count is None else f"{count:,}" for count in counts)]


def _annotator_cells(one: AnnotatorProgress) -> list[str]:
    counts = (one.assigned, one.labelled, one.versions)
    last = format_time(one.last_import) if one.last_import else "–"
    median = format_duration(one.median_seconds) if one.median_seconds is not None else "–"
    return [one.name, one.pseudonym, *(f"{count:,}" for count in counts), last, median]
