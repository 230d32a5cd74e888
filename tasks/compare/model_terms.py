"""Check of a base model's licence and region against policy. If policy has no such rule, the result says so."""

from collections.abc import Collection, Iterator

from tasks.compare.base_models import ListedBaseModel
from tasks.core.documents.config import FrozenModel
from tasks.policy.policy import BaseModels

NO_LIST_REASON = "policy lists none, so any is allowed"


class TermVerdict(FrozenModel):
    allowed: bool
    why: str


class ModelTerms(FrozenModel):
    """Terms of a base model, and whether policy allows them."""

    licence: TermVerdict
    residency: TermVerdict
    usage_policy: str | None
    """Declared restrictions on use; null if none were declared."""
    lock_in: str | None

    @property
    def allowed(self) -> bool:
        return self.licence.allowed and self.residency.allowed

    def objections(self) -> Iterator[str]:
        return (each.why for each in (self.licence, self.residency) if not each.allowed)


def judge_terms(candidate: ListedBaseModel, policy: BaseModels, regions: Collection[str]) -> ModelTerms:
    """Check the terms of a base model against policy.

    Args:
        candidate: Base model to check.
        policy: Rules for base models in policy.yaml.
        regions: Regions in which the sources of the rows are stored.
    """
    return ModelTerms(
        licence=_judge_licence(candidate.licence, policy.licences),
        residency=_judge_residency(candidate, policy.regions, regions),
        usage_policy=candidate.usage_policy,
        lock_in=candidate.lock_in,
    )


def _judge_licence(licence: str, allowed_licences: list[str] | None) -> TermVerdict:
    if allowed_licences is None:
        return TermVerdict(allowed=True, why=f"{licence}; {NO_LIST_REASON}")
    if licence in allowed_licences:
        return TermVerdict(allowed=True, why=f"{licence}, which policy lists")
    return TermVerdict(
        allowed=False, why=f"{licence} is not among the licences of policy: {', '.join(allowed_licences) or 'none'}"
    )


def _judge_residency(
    candidate: ListedBaseModel, allowed_regions: list[str] | None, regions: Collection[str]
) -> TermVerdict:
    if candidate.region is None:
        return TermVerdict(allowed=True, why="answers on machines of your own; nothing leaves them")
    lie = f"the sources lie in {', '.join(sorted(regions)) or 'no region'}"
    location = f"{candidate.provider} answers in {candidate.region}, {lie}"
    if allowed_regions is None:
        return TermVerdict(allowed=True, why=f"{location}; {NO_LIST_REASON}")
    if candidate.region in allowed_regions:
        return TermVerdict(allowed=True, why=f"{location}; policy lists {candidate.region}")
    return TermVerdict(allowed=False, why=f"{location}; policy lists {', '.join(allowed_regions) or 'no region'}")
