"""Command `hallmark erase plan`."""

from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.erase import plan as plans
from tasks.erase import subject
from tasks.erase.plan import ErasurePlan
from tasks.suppression import cases
from tasks.suppression.cases import ErasureCase
from tasks.suppression.place_kinds import KINDS, Kind

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of an erasure, as `hallmark erase list` shows it.")]


def plan(erasure: Id, as_json: shared.Json = False) -> None:
    """Show every place with something about the person, by kind, with the decision about it. Nothing is changed.

    Example: hallmark erase plan er-20300101-0a1b
    """
    here = shared.open_checkout()
    case = cases.get_case(here.ledger, here.governance, erasure)
    planned = plans.make_plan(here, subject.unseal(here.state, erasure))
    if as_json:
        shared.print_json(_document(case, planned))
        return
    rows = [_cells(case, planned, kind) for kind in planned.to_decide]
    shared.print_table(["kind", "count", "where", "decision"], rows, "nothing is left")
    if planned.unreadable_releases:
        console.print(f"it is not known what these were trained on: {', '.join(planned.unreadable_releases)}")
    undecided = [kind for kind in planned.to_decide if kind not in case.decisions]
    if undecided and not case.certificate:
        console.print(f"next: hallmark erase decide {erasure} {' '.join(undecided)} --delete, --keep or --retrain-by")
    elif not case.certificate:
        console.print(f"next: hallmark erase execute {erasure}")


def _cells(case: ErasureCase, planned: ErasurePlan, kind: Kind) -> list[str]:
    places = planned.places.get(kind)
    where = [f"{places.number:,}", places.text] if places else ["", KINDS[kind].label]
    return [kind, *where, _decision(case, kind)]


def _decision(case: ErasureCase, kind: Kind) -> str:
    decision = case.decisions.get(kind)
    if decision is None:
        return "none yet"
    until = f" until {decision.until}" if decision.until else ""
    return f"{decision.verb}{until}, by {decision.person}: {decision.reason}"


def _document(case: ErasureCase, planned: ErasurePlan) -> dict[str, object]:
    return {
        "erasure": case.id,
        "places": {kind: {"count": places.number, "where": places.text} for kind, places in planned.places.items()},
        "runs": planned.subject.runs,
        "datasets": planned.subject.datasets,
        "releases": sorted(planned.subject.releases),
        "unreadable_releases": planned.unreadable_releases,
        "undecided": [kind for kind in planned.to_decide if kind not in case.decisions],
    }
