"""Command `hallmark labels start`: the start of a round of expert labels."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import run_argument, shared
from infra.cli.labels import round_context
from infra.cli.shared import console
from tasks.core.formatting import format_count
from tasks.labels import start as starts
from tasks.labels.round_order import RoundOrder
from tasks.labels.start import StartedRound


class ScaleChoice(StrEnum):
    nominal = "nominal"
    ordinal = "ordinal"
    interval = "interval"


class PartitionChoice(StrEnum):
    train = "train"
    test = "test"
    all = "all"


Names = list[str] | None


def start(
    round_id: Annotated[str, typer.Argument(metavar="ROUND", help="Id of the new round.")],
    guideline: Annotated[Path, typer.Option(metavar="FILE", help="Guideline by which annotators label.")],
    guideline_version: Annotated[str, typer.Option(metavar="TEXT", help="Version of the guideline, e.g. 2.")],
    run: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Run whose dataset is labelled.", parser=run_argument.expand_run_id),
    ] = None,
    rows: Annotated[Path | None, typer.Option(metavar="FILE", help="CSV or JSON Lines with a column `text`.")] = None,
    partition: Annotated[PartitionChoice, typer.Option(help="Partition of the run's dataset.")] = PartitionChoice.all,
    source: Annotated[Names, typer.Option(metavar="ID", help="Source of the run. Default: all.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, metavar="N", help="Draw this many rows. Default: all.")] = None,
    gold: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Gold examples: CSV or JSON Lines with `text` and `label`.")
    ] = None,
    annotator: Annotated[Names, typer.Option(metavar="ID", help="Person in people.yaml who labels.")] = None,
    external: Annotated[Names, typer.Option(metavar="NAME", help="Somebody else who labels.")] = None,
    adjudicator: Annotated[
        Names, typer.Option(metavar="ID", help="Who decides disagreements and labels nothing. Default: you.")
    ] = None,
    label: Annotated[Names, typer.Option(metavar="TEXT", help="Allowed label. Without any: free text.")] = None,
    scale: Annotated[ScaleChoice, typer.Option(help="Scale of the labels, for agreement.")] = ScaleChoice.nominal,
    overlap: Annotated[int, typer.Option(min=1, metavar="K", help="Number of annotators of each row.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the assignment and of the order.")] = 1,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Start a round of expert labels, which you lead.

    Each row goes to several annotators, who are blind to each other. Gold examples are mixed in. Rows of a run have
    tokens in place of personal values. Everybody who is shown rows may see single records of their sources. Only a
    source's owner or steward can show rows to an external.

    Example: hallmark labels start mails-1 --run 20260303-120000-a1b2 --guideline guideline.md --guideline-version 1
    --annotator ada --annotator ben --label bill --label other --as data-owner
    """
    here = shared.open_checkout()
    order = RoundOrder(
        id=round_id,
        guideline=guideline,
        guideline_version=guideline_version,
        annotators=annotator or [],
        externals=external or [],
        adjudicators=adjudicator or [],
        labels=label or [],
        scale=scale.value,
        overlap=overlap,
        seed=seed,
        rows=rows,
        run=round_context.layout_of_run(here, run) if run else None,
        partition=partition.value,
        sources=source or [],
        sample=sample,
        gold=gold,
    )
    lead = round_context.access_of_actor(here, who)
    started = starts.start_round(here.state, here.ledger, here.governance, lead, order)
    if as_json:
        shared.print_json(
            {"round": started.round.id, "rows": started.rows, "gold": started.gold, "sha256": started.round.sha256}
            | {"equal_to_gold": started.equal_to_gold, "guideline": started.round.guideline.mark}
        )
    else:
        _show(started)


def _show(started: StartedRound) -> None:
    said = started.round
    console.print(
        f"round {said.id}: {format_count(started.rows, 'row')} for {format_count(len(said.annotators), 'annotator')}, "
        f"{said.overlap} for each row, with {format_count(started.gold, 'gold example')} for everybody"
    )
    if started.equal_to_gold:
        console.print(f"  {format_count(started.equal_to_gold, 'row')} left out, equal to a gold example")
    console.print(f"  guideline {said.guideline.name}, version {said.guideline.mark}")
    for person in said.annotators:
        acts = f"--annotator '{person.name}' --as {said.lead}" if person.external else f"--as {person.name}"
        console.print(f"  hallmark labels export {said.id} --to FILE {acts}")
