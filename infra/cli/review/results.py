"""Command `hallmark review results`: the result of an expert review."""

from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.labels import round_context
from infra.cli.shared import console
from tasks.core.escaping import escape_to_one_line
from tasks.core.formatting import format_share
from tasks.gates.signed_review import ReviewFigure
from tasks.labels import participants
from tasks.labels.agreement.bootstrap import CONFIDENCE
from tasks.review.results import PairCounts, ReviewReport, report_review


def results(
    review_id: Annotated[str, typer.Argument(metavar="NAME", help="Id of the review.")],
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Show which answers experts prefer, how far they agree, and how far automatic judges agree with them.

    While a review is open, its lead alone sees this: an annotator could read from it which answer is whose. Comments
    are shown to the lead alone.

    Example: hallmark review results mails-1 --as product-owner
    """
    here = shared.open_checkout()
    files, actor = round_context.read_round(here, review_id), round_context.access_of_actor(here, who)
    if not files.finished:
        participants.require_lead(files.round, actor.person.id)
    report = report_review(files, for_lead=actor.person.id == files.round.lead)
    if as_json:
        shared.print_json(report.model_dump(mode="json"))
    else:
        _show(report)


def _show(report: ReviewReport) -> None:
    console.print(
        f"review {report.round} of run {report.run}, {report.state}: {report.overall.pairs:,} of {report.drawn:,} "
        f"pairs labelled, {report.contested:,} of them contested; {report.equal:,} with equal answers left out"
    )
    interval = f"{format_share(CONFIDENCE)} interval"
    header = ["pairs", "all", "candidate", report.compared_with, "both", "neither", "split", "preference", interval]
    rows = [["all", *_counts(report.overall)]]
    rows += [[f"{each.by}: {each.value}", *_counts(each)] for each in report.groups]
    shared.print_table(header, rows, "")
    console.print("preference: share of the decided pairs of which the candidate's answer is preferred")
    shared.print_table(["annotators", "alpha", interval, "pairs"], [["all", *_cells(report.alpha)]], "")
    judges = [[name, *_cells(each.share)[:2], *_cells(each.kappa)] for name, each in report.judges.items()]
    shared.print_table(
        ["judge", "same as experts", interval, "kappa", interval, "pairs"], judges, "no judge to compare"
    )
    for comment in report.comments or ():
        said = report.compared_with if comment.said == "other" else comment.said
        console.print(f"{comment.key} ({said}): {escape_to_one_line(comment.note)}", markup=False)


def _counts(each: PairCounts) -> list[str]:
    counts = (each.pairs, each.candidate, each.other, each.both, each.neither, each.split)
    return [*(f"{count:,}" for count in counts), *_cells(each.preference)[:2]]


def _cells(one: ReviewFigure) -> list[str]:
    value = "–" if one.value is None else f"{one.value:.3f}"
    interval = "–" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
    return [value, interval, f"{one.pairs:,}"]
