"""Execution of an erasure. It can be interrupted at any moment: repeating it removes the rest.

The suppression comes first, so that no new run reads the person's rows. What was found is stored in the vault's
document before anything is removed, because a later search would not find it again. The ledger has an entry for each
step, without anything about the person but counts.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from tasks.core.errors import InputError
from tasks.erase import executing_runs, leftovers, steps, subject, verification
from tasks.erase import plan as plans
from tasks.erase.plan import ErasurePlan
from tasks.erase.verification import FoundPlace
from tasks.runs.checkout import Checkout
from tasks.suppression import cases
from tasks.suppression.cases import ErasureCase
from tasks.suppression.in_force import RELEASES_STEP, SUPPRESSION_STEP
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
            if ruling.verb == DELETE:
                steps.STEPS[kind](here, plan)
            record_step(here, erasure, kind, _step_body(kind, ruling, plan))
            done.append(kind)
    on_line("searching all files")
    kept = [kind for kind, ruling in rulings.items() if ruling.verb != DELETE]
    verbs = {kind: ruling.verb for kind, ruling in rulings.items()}
    remaining = leftovers.remove_leftovers(here, plan.subject, verbs)
    record_step(here, erasure, LEFTOVERS_STEP, {})
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


def record_step(here: Checkout, erasure: str, step: str, body: dict[str, Any]) -> None:
    """Record that a step was carried out, unless the ledger has this step with the same content."""
    wanted = {"step": step} | body
    with here.ledger.transaction():
        if wanted not in [entry.body for entry in here.ledger.entries(STEP, erasure)]:
            here.ledger.append(STEP, erasure, wanted)


def _step_body(kind: Kind, ruling: Ruling, plan: ErasurePlan) -> dict[str, Any]:
    body = {"verb": ruling.verb, "count": plan.subject.planned.get(kind, 0)}
    if kind != RELEASES_STEP:
        return body
    until = ruling.until.isoformat() if ruling.until else None
    marks = [
        {"release": label, "dataset": dataset, "verb": ruling.verb, "until": until}
        for label, dataset in sorted(plan.releases.items())
    ]
    return body | {"releases": marks}
