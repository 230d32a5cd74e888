"""Command `hallmark labels finish`: the result of a round as a file that can be a source."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.labels import round_context
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.core.files import write_bytes
from tasks.core.formatting import format_count
from tasks.labels import finish as finishes
from tasks.labels import participants
from tasks.labels.finish import FinishedRound
from tasks.labels.source_entry import source_entry_lines


class MethodChoice(StrEnum):
    majority = "majority"
    dawid_skene = "dawid-skene"


def finish(
    round_id: round_context.RoundId,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", dir_okay=False, help="JSON Lines file to write.")],
    method: Annotated[
        MethodChoice | None,
        typer.Option(help="How several labels become one. Default: dawid-skene, for free text majority."),
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Finish although labels are missing.")] = False,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Finish a round that you lead: one label for each row with a confidence, as JSON Lines.

    An adjudicator's label takes precedence. `dawid-skene` weighs annotators by how they err, which it estimates from
    all labels and the gold examples; `majority` counts them. The command prints what sources.yaml says of the file. A
    finished round takes no more labels, and finishing it again writes the same file.

    Example: hallmark labels finish mails-1 --to mails-1-labels.jsonl --as data-owner
    """
    here = shared.open_checkout()
    files, actor = round_context.read_round(here, round_id), round_context.access_of_actor(here, who)
    participants.require_lead(files.round, actor.person.id)
    participants.require_access_to_rows(files.round, actor)
    if files.round.review:
        raise InputError(f"round {round_id} is a review, and no source; say `hallmark review finish {round_id}`")
    usual = MethodChoice.dawid_skene if files.round.labels else MethodChoice.majority
    with shared.writable_path(to, b"{") as path:
        done = finishes.finish_round(files, here.governance, (method or usual).value, partial)
        write_bytes(path, done.data, mode=round_context.FILE_MODE)
    if as_json:
        shared.print_json(_document(done, to))
    else:
        _show(done, to, round_id)


def _document(done: FinishedRound, to: Path) -> dict[str, object]:
    counts = {"unlabelled": done.unlabelled, "open_disagreements": done.open_disagreements}
    return {"file": str(to), "rows": len(done.rows), "adjudicated": done.adjudicated, **counts} | {
        "sha256": done.entry.body["sha256"], "ledger_entry": done.entry.seq
    }  # fmt: skip


def _show(done: FinishedRound, to: Path, round_id: str) -> None:
    console.print(
        f"{to}: {format_count(len(done.rows), 'row')} of round {round_id}, {done.adjudicated:,} adjudicated, "
        f"{format_count(done.open_disagreements, 'disagreement')} left to the aggregation: entry {done.entry.seq} of "
        "the ledger"
    )
    if done.unlabelled:
        console.print(f"  {format_count(done.unlabelled, 'row')} without any label left out")
    console.print("in sources.yaml, with owner, access and terms:")
    for line in source_entry_lines(done.rows, to):
        console.print(f"    {line}")
