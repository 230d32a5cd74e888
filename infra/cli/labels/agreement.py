"""Command `hallmark labels agreement`: agreement of the annotators of a round."""

from infra.cli import shared
from infra.cli.labels import round_context
from infra.cli.shared import console
from tasks.core.formatting import format_count, format_share
from tasks.labels import participants
from tasks.labels.agreement.bootstrap import CONFIDENCE, Figure
from tasks.labels.agreement.report import AgreementReport, report_agreement
from tasks.labels.given_labels import read_given_labels


def agreement(round_id: round_context.RoundId, who: shared.ActAs = None, as_json: shared.Json = False) -> None:
    """Show Krippendorff's alpha of a round, as a whole and per label, with bootstrap intervals.

    Whoever leads the round also sees each annotator's agreement with the gold examples. While a round is open, nobody
    else sees its agreement: from changes of it an annotator could read the labels of others.

    Example: hallmark labels agreement mails-1 --as data-owner
    """
    here = shared.open_checkout()
    files, actor = round_context.read_round(here, round_id), round_context.access_of_actor(here, who)
    if not files.finished:
        participants.require_lead(files.round, actor.person.id)
    report = report_agreement(files, read_given_labels(files), for_lead=actor.person.id == files.round.lead)
    if as_json:
        shared.print_json(report.model_dump(mode="json"))
    else:
        _show(report)


def _show(report: AgreementReport) -> None:
    rows = [["all rows", *_cells(report.alpha)], *([label, *_cells(one)] for label, one in report.by_class.items())]
    shared.print_table([f"{report.scale} labels", "alpha", f"{format_share(CONFIDENCE)} interval", "rows"], rows, "")
    console.print(f"{format_count(report.disagreements, 'disagreement')}, {report.adjudicated:,} of them adjudicated")
    if report.annotators is not None:
        shared.print_table(
            ["annotator", "pseudonym", "share of gold right", "interval", "gold", "alpha with gold", "interval"],
            [[one.name, one.pseudonym, *_cells(one.right), *_cells(one.alpha)[:2]] for one in report.annotators],
            "",
        )


def _cells(one: Figure) -> list[str]:
    value = "–" if one.value is None else f"{one.value:.3f}"
    interval = "–" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
    return [value, interval, f"{one.items:,}"]
