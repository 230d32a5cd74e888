"""Content of the certificate of an erasure."""

from collections.abc import Mapping

from tasks.core.errors import InputError
from tasks.erase.execution import Ruling
from tasks.erase.plan import ErasurePlan
from tasks.erase.present_places import is_tracked_elsewhere
from tasks.erase.verification import SearchResult
from tasks.runs.checkout import Checkout
from tasks.suppression.cases import ErasureCase
from tasks.suppression.place_kinds import DELETE, Kind
from tasks.suppression.signed_documents import STEP, ErasureCertificate, KindOutcome, ReleaseOutcome

MARKED_AS_DELETED = "records of runs on the MLflow server, which only marks them as deleted until its `mlflow gc`"
UNREADABLE_RELEASE = "release {}: its training data cannot be read on this machine, so it may have a record"


def make_certificate(
    here: Checkout,
    case: ErasureCase,
    plan: ErasurePlan,
    rulings: Mapping[Kind, Ruling],
    found: SearchResult,
    person: str,
) -> ErasureCertificate:
    """Return what a certificate says.

    Raises:
        InputError: The ledger has no request of this erasure.
    """
    if case.request is None:
        raise InputError(f"erasure {case.id} has no request in this ledger")
    request, known = case.request.document, plan.subject
    marked = rulings.get("releases")
    return ErasureCertificate(
        erasure=case.id,
        request=case.request.sha256,
        environment=here.governance.policy.environment,
        person=person,
        basis=request.basis,
        requested_by=request.person,
        requested_at=request.time,
        sources=request.sources,
        deadline=request.deadline,
        outcomes=_outcomes(here, case, plan, rulings, found),
        releases=[
            ReleaseOutcome(release=label, verb=marked.verb, until=marked.until, dataset=dataset)
            for label, dataset in sorted(known.releases.items())
            if marked
        ],
        datasets=known.datasets,
        suppressed=request.suppressed,
        companions=known.companions,
        searched_files=found.files,
        searched_bytes=found.bytes,
        not_searched=[*found.not_searched, *open_ends(here, plan, rulings)],
        time=here.ledger.now(),
    )


def _outcomes(
    here: Checkout, case: ErasureCase, plan: ErasurePlan, rulings: Mapping[Kind, Ruling], found: SearchResult
) -> list[KindOutcome]:
    removed, kinds = _removed(here, case), [place.kind for place in found.places]
    if "source" in rulings and rulings["source"].verb == DELETE:  # the search found nothing of the person there
        removed["source"] = plan.subject.planned.get("source", 0)
    return [
        KindOutcome(
            kind=kind,
            verb=ruling.verb,
            reason=ruling.reason,
            until=ruling.until,
            decided_by=ruling.decided_by,
            removed=removed.get(kind, 0),
            remaining=kinds.count(kind),
        )
        for kind, ruling in rulings.items()
    ]


def _removed(here: Checkout, case: ErasureCase) -> dict[str, int]:
    """Return the largest number of items by kind that a deletion found gone, also if the rest is kept since."""
    numbers: dict[str, int] = {}
    for entry in here.ledger.entries(STEP, case.id):
        if entry.body.get("verb") == DELETE:
            step = str(entry.body["step"])
            numbers[step] = max(numbers.get(step, 0), int(entry.body.get("count", 0)))
    return numbers


def open_ends(here: Checkout, plan: ErasurePlan, rulings: Mapping[Kind, Ruling]) -> list[str]:
    """Return what a search cannot find, but is known to be left or may be."""
    tracking = rulings.get("tracking")
    marked = [MARKED_AS_DELETED] if tracking and tracking.verb == DELETE and is_tracked_elsewhere(here) else []
    return marked + [UNREADABLE_RELEASE.format(label) for label in plan.unreadable_releases]
