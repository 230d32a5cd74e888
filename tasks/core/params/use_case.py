"""`use_case` of params.yaml: the card of a use case."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.core.config import Frozen
from tasks.core.params.values import Name, Text


class SuccessMetric(Frozen):
    """A figure that must be reached, fixed before training."""

    name: Text
    """What a product owner calls it."""
    fact: Text
    """The figure judged: `evaluate.exact_match`, `evaluate.gain_over_base`, `measured.predict.latency_p95_ms`, …
    For a metric judged in production, any name."""
    judged: Literal["evaluation", "production"] = "evaluation"
    """`evaluation`: the evaluation gate checks it. `production`: recorded now, measured after rollout."""
    bound: Literal["value", "low", "high"] = "value"
    """Compare the point estimate or an end of its interval."""
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.name}: give exactly one of at_least and at_most")
        return self


class Owners(Frozen):
    """Ids of people in people.yaml."""

    business: Text
    technical: Text
    data: Text


class UseCase(Frozen):
    """The use-case card: why this model exists and when it is good enough. No run starts without it."""

    name: Name
    """Also the name of the registered model."""
    problem: Text
    users: Annotated[list[Text], Field(min_length=1)]
    risk_tier: Name
    """A tier of policy.yaml; decides which gates stand and who must decide."""
    approach: Literal["retrieval", "lora", "instruction_tuning", "full_fine_tuning", "continued_pretraining"]
    approach_reason: Text
    approved_uses: Annotated[list[Text], Field(min_length=1)]
    limitations: Annotated[list[Text], Field(min_length=1)]
    escalation_path: Text
    owners: Owners
    success_metrics: Annotated[list[SuccessMetric], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        names = [metric.name for metric in self.success_metrics]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"success_metrics: each has a name of its own; twice: {', '.join(map(repr, twice))}")
        return self
