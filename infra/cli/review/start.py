"""Command `hallmark review start`: the start of an expert review."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import run_argument, shared
from infra.cli.labels import round_context
from infra.cli.shared import console
from tasks.core.formatting import format_count
from tasks.review import start as starts
from tasks.review.start import ReviewOrder, StartedReview

Names = list[str] | None


def start(
    review_id: Annotated[str, typer.Argument(metavar="NAME", help="Id of the new review.")],
    run: Annotated[
        str,
        typer.Option(metavar="RUN", help="Run whose answers are compared.", parser=run_argument.expand_run_id),
    ],
    annotator: Annotated[Names, typer.Option(metavar="ID", help="Person in people.yaml who compares.")] = None,
    external: Annotated[Names, typer.Option(metavar="NAME", help="Somebody else who compares.")] = None,
    adjudicator: Annotated[
        Names,
        typer.Option(metavar="ID", help="Who decides disagreements; neither you nor an annotator."),
    ] = None,
    sample: Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of pairs.")] = 50,
    overlap: Annotated[int, typer.Option(min=1, metavar="K", help="Number of annotators of each pair.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the sample. The order of answers does not follow from it.")] = 1,
    guideline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Guideline. Default: a general one, which is printed.")
    ] = None,
    guideline_version: Annotated[str | None, typer.Option(metavar="TEXT", help="Version of the guideline.")] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Start a blind review of a run's answers, which you lead.

    Annotators see a prompt and two answers, A and B: the candidate's and the champion's, or the base model's if there
    is no champion. Which is whose is random and secret. Pairs on which automatic judges tell the models apart come
    first. Whoever requested the run takes no part.

    Example: hallmark review start mails-1 --run 20260303-120000-a1b2 --annotator ada --annotator ben --as product-owner
    """
    here = shared.open_checkout()
    order = ReviewOrder(
        id=review_id,
        run=round_context.layout_of_run(here, run),
        annotators=annotator or [],
        externals=external or [],
        adjudicators=adjudicator or [],
        sample=sample,
        overlap=overlap,
        seed=seed,
        guideline=guideline,
        guideline_version=guideline_version,
    )
    lead = round_context.access_of_actor(here, who)
    started = starts.start_review(here.state, here.ledger, here.governance, lead, order)
    if as_json:
        shared.print_json(_document(started))
    else:
        _show(started, guideline is None)


def _document(started: StartedReview) -> dict[str, object]:
    found, said = started.found, started.round
    return {
        "round": said.id,
        "run": said.run,
        "compared_with": found.compared_with,
        "pairs": started.pairs,
        "contested": started.contested,
        "different": len(found.pairs),
        "equal": found.equal,
        "sha256": said.sha256,
        "guideline": said.guideline.mark,
    }


def _show(started: StartedReview, shows_guideline: bool) -> None:
    said, found = started.round, started.found
    console.print(
        f"review {said.id}: {format_count(started.pairs, 'pair')} of candidate and {found.compared_with}, "
        f"{started.contested:,} of them contested, for {format_count(len(said.annotators), 'annotator')}, "
        f"{said.overlap} for each pair"
    )
    console.print(f"  of {len(found.pairs):,} pairs with different answers; {found.equal:,} with equal ones left out")
    if shows_guideline:
        console.print(starts.GUIDELINE.read_text(), markup=False)
    for person in said.annotators:
        acts = f"--annotator '{person.name}' --as {said.lead}" if person.external else f"--as {person.name}"
        console.print(f"  hallmark labels export {said.id} --to FILE {acts}")
