"""Execution of an erasure. It can be interrupted at any moment: repeating it removes the rest.

The suppression comes first, so that no new run reads the person's rows. What was found is stored in the vault's
document before anything is removed, because a later search would not find it again. The ledger has an entry for each
step, without anything about the person but counts.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from tasks.core.errors import InputError
from tasks.erase import executing_runs, leftovers, release_marks, steps, subject, verification
from tasks.erase import plan as plans
from tasks.erase.erasure_lock import hold_lock
from tasks.erase.plan import ErasurePlan
from tasks.erase.present_places import PLACES
from tasks.erase.release_marks import record_step
from tasks.erase.verification import FoundPlace
from tasks.runs.checkout import Checkout
from tasks.suppression import cases
from tasks.suppression.cases import ErasureCase
from tasks.suppression.in_force import SUPPRESSION_STEP
from tasks.suppression.place_kinds import DELETE, KINDS, Kind, Verb
from tasks.suppression.signed_documents import STEP

OnLine = Callable[[str], None]
LEFTOVERS_STEP = "leftovers"


class Ruling(NamedTuple):
    """Decision about a kind of places, from its own document or from the certificate."""

    verb: Verb
    reason: str
    until: Any
    decided_by: str


class Executed(NamedTuple):
    steps: list[str]
    """Names of the steps that were carried out, also if they found nothing to remove."""
    remaining: list[FoundPlace]
    """Places that nobody decided to keep and in which something of the person is still found."""


def execute(here: Checkout, erasure: str, on_line: OnLine) -> Executed:
    """Carry out the decisions about an erasure.

    Args:
        here: Checkout.
        erasure: Id of the erasure.
        on_line: Called with each line of progress.

    Raises:
        InputError: There is no such erasure, or a decision is missing.
        Refused: A run that reads the person's rows is executing, or a release in production would be retired.
        Unavailable: The ledger, the vault or MLflow cannot be used.
    """
    with hold_lock(here.state):
        return _execute(here, erasure, on_line)


def _execute(here: Checkout, erasure: str, on_line: OnLine) -> Executed:
    case = cases.get_case(here.ledger, here.governance, erasure)
    known = subject.unseal(here.state, erasure)
    plan = plans.make_plan(here, known)
    rulings = require_rulings(case, plan)
    executing_runs.require_none(here, plan, erasure)
    record_step(here, erasure, SUPPRESSION_STEP, {})
    executing_runs.require_none(here, plan, erasure)  # one may have begun before the suppression was in force
    plan = plans.make_plan(here, plan.subject)  # a run may have ended meanwhile
    planned = {kind: max(places.number, known.planned.get(kind, 0)) for kind, places in plan.places.items()}
    plan = plan._replace(subject=plan.subject.model_copy(update={"planned": known.planned | planned}))
    subject.seal(here.state, erasure, plan.subject)
    done = [SUPPRESSION_STEP]
    for kind, ruling in rulings.items():
        if kind in steps.STEPS:
            on_line(f"{kind}: {ruling.verb}")
            if kind == "releases":
                release_marks.mark_releases(here, erasure, plan.subject, ruling.verb, ruling.until)
            if ruling.verb == DELETE:
                steps.STEPS[kind](here, plan)
            record_step(here, erasure, kind, _step_body(here, kind, ruling, plan))
            done.append(kind)
    on_line("searching all files")
    kept = [kind for kind, ruling in rulings.items() if ruling.verb != DELETE]
    verbs = {kind: ruling.verb for kind, ruling in rulings.items()}
    remaining = leftovers.remove_leftovers(here, plan.subject, verbs)
    here.ledger.append(STEP, erasure, {"step": LEFTOVERS_STEP})
    return Executed([*done, LEFTOVERS_STEP], verification.undecided(remaining, kept))


def require_rulings(case: ErasureCase, plan: ErasurePlan) -> dict[Kind, Ruling]:
    """Return the decision about each kind in the order of an execution.

    Raises:
        InputError: A decision is missing.
    """
    known: dict[Kind, Ruling] = {}
    if case.certificate:
        known = {
            each.kind: Ruling(each.verb, each.reason, each.until, each.decided_by)
            for each in case.certificate.document.outcomes
        }
    known |= {kind: Ruling(it.verb, it.reason, it.until, it.person) for kind, it in case.decisions.items()}
    missing = [kind for kind in plan.to_decide if kind not in known]
    if missing:
        raise InputError(
            f"nobody has decided yet about {', '.join(missing)}: hallmark erase decide {case.id} {' '.join(missing)} "
            "--delete | --keep | --retrain-by"
        )
    return {kind.name: known[kind.name] for kind in KINDS.values() if kind.name in known}


def _step_body(here: Checkout, kind: Kind, ruling: Ruling, plan: ErasurePlan) -> dict[str, Any]:
    """Return the decision that was carried out, and the number of items that were there and are gone."""
    if ruling.verb != DELETE:
        return {"verb": ruling.verb, "count": 0}
    left = PLACES[kind](here, plan.subject).number
    return {"verb": ruling.verb, "count": max(plan.subject.planned.get(kind, 0) - left, 0)}
