"""Section `use_case` of params.yaml: the use-case card."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Name, NonEmptyText

Approach = Literal["retrieval", "lora", "instruction_tuning", "full_fine_tuning", "continued_pretraining"]


class SuccessMetric(FrozenModel):
    """Success metric and its limit, both set before training."""

    name: NonEmptyText
    """Name of the metric in the product owner's words."""
    fact: NonEmptyText
    """Name of the value that is compared with the limit, for example `evaluate.exact_match`, `evaluate.gain_over_base`
    or `measured.predict.latency_p95_ms`. A metric that is judged in production can have any name."""
    judged: Literal["evaluation", "production"] = "evaluation"
    """Point at which the metric is checked. `evaluation`: at the evaluation gate. `production`: recorded now and
    measured after rollout."""
    bound: Literal["value", "low", "high"] = "value"
    """Number to compare with the limit: the point estimate (`value`), or the lower or upper end of its interval."""
    at_least: float | None = None
    """Minimum value; give either this or `at_most`."""
    at_most: float | None = None
    """Maximum value; give either this or `at_least`."""

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.name}: give exactly one of at_least and at_most")
        return self


class Owners(FrozenModel):
    """Owners of a use case, by their ids in people.yaml."""

    business: NonEmptyText
    """Person responsible for how the model is used."""
    technical: NonEmptyText
    """Person responsible for the model and its runs."""
    data: NonEmptyText
    """Person responsible for the model's data."""


class UseCase(FrozenModel):
    """Use-case card: purpose, owners and success metrics of a model. Every run requires one."""

    name: Name
    """Name of the use case and of the registered model."""
    problem: NonEmptyText
    """Description of the business problem."""
    users: Annotated[list[NonEmptyText], Field(min_length=1)]
    """Groups of people who use the model."""
    risk_tier: Name
    """Risk tier in policy.yaml, which determines the gates of a run and the roles that decide at them."""
    approach: Approach
    """Technical approach. `lora` and `full_fine_tuning` restrict the choice of training methods
    (`tasks.core.params.methods`)."""
    approach_reason: NonEmptyText
    """Reason for choosing this approach."""
    approved_uses: Annotated[list[NonEmptyText], Field(min_length=1)]
    """Uses that the model is made for. Each must be listed, in the same words, in `approved_uses` of every source."""
    limitations: Annotated[list[NonEmptyText], Field(min_length=1)]
    """Known limitations, which the model card lists."""
    escalation_path: NonEmptyText
    """Contact to notify if the model does harm."""
    owners: Owners
    """People responsible for the model."""
    success_metrics: Annotated[list[SuccessMetric], Field(min_length=1)]
    """Success metrics, set before training."""

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        names = [metric.name for metric in self.success_metrics]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"success_metrics: each has a name of its own; twice: {', '.join(map(repr, twice))}")
        return self
