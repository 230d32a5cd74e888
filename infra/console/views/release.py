"""One release: verified again, with its decisions, waivers and sources, and the form for a rollback to it."""

from collections.abc import Iterable
from pathlib import Path

from infra.console.site import RequestState
from infra.console.views.signing_form import SigningForm, optional_fields, strong_key_fingerprints
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError
from tasks.policy.people import Person
from tasks.registry.history import release_contents
from tasks.registry.promote import emergency_rollback, order_rules, rollback_orders
from tasks.registry.promote import releases as promoted
from tasks.registry.promote.order_rules import OrderClaim
from tasks.registry.promote.release_decisions import DecisionSummary
from tasks.registry.promote.releases import Release, ReleaseSummary
from tasks.registry.promote.rollback_orders import SignedOrder
from tasks.registry.release.promotions import Promotions, SignedPromotion
from tasks.registry.release.report import Verification


class RollbackOrder(FrozenModel):
    person: str
    role: str
    reason: str


class TrainingSource(FrozenModel):
    name: str
    owner: str
    rows: int
    """Number of the source's records in the training partition."""
    sha256: str


class Provenance(FrozenModel):
    """Origin of a release as stated in its folder. Whether the statement is true is shown only by verification."""

    sources: list[TrainingSource]
    dataset: str
    rows: dict[str, int]
    """Number of records in each partition of the dataset, keyed by `train` and `test`."""
    base_model: str


class ReleasePage(FrozenModel):
    release: ReleaseSummary
    decisions: list[DecisionSummary]
    verified: Verification
    lineage: Provenance | None
    """Origin of the release; null if its folder is not on this machine or cannot be read."""
    champion: str
    ordered: list[RollbackOrder]
    """Orders to roll back to this release. They stay valid until another release is promoted."""
    waits_for: list[str]
    """Orders that are still missing, in words."""
    asked_of: SigningForm | None
    """Form for an order to roll back to this release, to be signed in the browser. It is null if the release is
    champion or the person has no role in which to order the rollback."""


def release(here: RequestState, person: Person, label: str) -> ReleasePage:
    """Return the page of a release, after verifying its folder in the same way as `hallmark releases verify`.

    Raises:
        InputError: There is no such release.
    """
    known, line = promoted.get_release_with_promotions(here.ledger, here.governance, label)
    target, newest = _rollback_target(line, label), line.newest_statement
    given = rollback_orders.pending_orders(here.ledger, here.governance, target, newest) if target and newest else []
    return ReleasePage(
        release=promoted.summarise_release(known, line, here.ledger, here.governance),
        decisions=promoted.release_decision_summaries(line, known, here.ledger, here.governance),
        verified=promoted.verify_release(Path(known.bundle), here.governance),
        lineage=_lineage(known),
        champion=newest.promotion.label if newest else "",
        ordered=[RollbackOrder(person=it.order.person, role=it.order.role, reason=it.order.reason) for it in given],
        waits_for=rollback_orders.missing_orders(here.governance, target, given) if target else [],
        asked_of=_signing_form(here, person, target, newest, given) if target and newest else None,
    )


def _lineage(known: Release) -> Provenance | None:
    try:
        said, dataset = release_contents.read_release(Path(known.bundle)), promoted.dataset_digest(known)
    except HallmarkError:
        return None
    return Provenance(
        sources=[
            TrainingSource(name=name, owner=it.owner, rows=it.rows["train"], sha256=it.sha256)
            for name, it in sorted(said.dataset.sources.items())
        ],
        dataset=dataset,
        rows=said.dataset.rows,
        base_model=said.manifest.base_model_origin,
    )


def _rollback_target(line: Promotions, label: str) -> SignedPromotion | None:
    if line.newest_statement is None or line.newest_statement.promotion.label == label:
        return None
    return next((signed for signed in reversed(line.valid_statements) if signed.promotion.label == label), None)


def _signing_form(
    here: RequestState, person: Person, target: SignedPromotion, newest: SignedPromotion, given: list[SignedOrder]
) -> SigningForm | None:
    governed, tier = here.governance, target.promotion.tier
    roles = _allowed_roles(
        here, OrderClaim(person, target, here.ledger_time), rollback_orders.deciding_roles(governed, tier)
    )
    emergency = OrderClaim(person, target, here.ledger_time, break_glass=True)
    breaking = _allowed_roles(here, emergency, emergency_rollback.emergency_roles(governed, tier))
    if not roles and not breaking:
        return None
    label = target.promotion.label
    return SigningForm(
        path=f"/releases/{label}",
        type=rollback_orders.ORDER.uri,
        person=person.id,
        keys=strong_key_fingerprints(here, person, governed.policy, tier, "release"),
        about={"release": label, "environment": governed.policy.environment, "follows": newest.sha256},
        defaults=optional_fields(rollback_orders.ORDER),
        digests=[target.release_sha256],
        roles=roles,
        breaking=breaking,
        joins=[each.sha256 for each in given if each.order.person != person.id],
    )


def _allowed_roles(here: RequestState, claim: OrderClaim, roles: Iterable[str]) -> list[str]:
    return [role for role in roles if order_rules.rejection_reason(claim, role, here.ledger, here.governance) is None]
