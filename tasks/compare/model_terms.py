"""Verdict of policy on a base model. Missing declarations and rules are reported as missing."""

from collections.abc import Collection, Iterator

from tasks.compare.base_models import ListedBaseModel
from tasks.core.documents.config import FrozenModel
from tasks.policy.policy import BaseModels

NO_LIST = "policy lists none, so any is allowed"


class TermVerdict(FrozenModel):
    allowed: bool
    why: str


class ModelTerms(FrozenModel):
    """Terms of a base model, and the verdict of policy on them."""

    licence: TermVerdict
    residency: TermVerdict
    usage_policy: str | None
    """Limits of use as declared; null if none were declared."""
    lock_in: str | None

    @property
    def allowed(self) -> bool:
        return self.licence.allowed and self.residency.allowed

    def objections(self) -> Iterator[str]:
        return (each.why for each in (self.licence, self.residency) if not each.allowed)


def judge_terms(candidate: ListedBaseModel, policy: BaseModels, regions: Collection[str]) -> ModelTerms:
    """Judge the terms of a base model under policy.

    Args:
        candidate: Base model.
        policy: Rules of policy for base models.
        regions: Regions of the sources that the rows come from.
    """
    return ModelTerms(
        licence=_licence(candidate.licence, policy.licences),
        residency=_residency(candidate, policy.regions, regions),
        usage_policy=candidate.usage_policy,
        lock_in=candidate.lock_in,
    )


def _licence(licence: str, listed: list[str] | None) -> TermVerdict:
    if listed is None:
        return TermVerdict(allowed=True, why=f"{licence}; {NO_LIST}")
    if licence in listed:
        return TermVerdict(allowed=True, why=f"{licence}, which policy lists")
    return TermVerdict(
        allowed=False, why=f"{licence} is not among the licences of policy: {', '.join(listed) or 'none'}"
    )


def _residency(candidate: ListedBaseModel, listed: list[str] | None, regions: Collection[str]) -> TermVerdict:
    if candidate.region is None:
        return TermVerdict(allowed=True, why="answers on machines of your own; nothing leaves them")
    lie = f"the sources lie in {', '.join(sorted(regions)) or 'no region'}"
    location = f"{candidate.provider} answers in {candidate.region}, {lie}"
    if listed is None:
        return TermVerdict(allowed=True, why=f"{location}; {NO_LIST}")
    if candidate.region in listed:
        return TermVerdict(allowed=True, why=f"{location}; policy lists {candidate.region}")
    return TermVerdict(allowed=False, why=f"{location}; policy lists {', '.join(listed) or 'no region'}")
