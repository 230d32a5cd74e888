"""`use_case` of params.yaml: the card of a use case."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.core.config import Frozen
from tasks.core.params.values import Name, Text

Approach = Literal["retrieval", "lora", "instruction_tuning", "full_fine_tuning", "continued_pretraining"]


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
    """The figure must reach this. Give either this or `at_most`."""
    at_most: float | None = None
    """The figure must not exceed this."""

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.name}: give exactly one of at_least and at_most")
        return self


class Owners(Frozen):
    """Ids of people in people.yaml."""

    business: Text
    """Answers for the use of the model."""
    technical: Text
    """Answers for the model and its runs."""
    data: Text
    """Answers for its data."""


class UseCase(Frozen):
    """The use-case card: why this model exists and when it is good enough. No run starts without it."""

    name: Name
    """Also the name of the registered model."""
    problem: Text
    """The business problem, in words."""
    users: Annotated[list[Text], Field(min_length=1)]
    """People who use the model."""
    risk_tier: Name
    """A tier of policy.yaml; decides which gates stand and who must decide."""
    approach: Approach
    """`lora` and `full_fine_tuning` go with the training method of that name."""
    approach_reason: Text
    """Why this approach and no other."""
    approved_uses: Annotated[list[Text], Field(min_length=1)]
    """Uses that the model is made for. Each stands among `approved_uses` of every source, in the same words."""
    limitations: Annotated[list[Text], Field(min_length=1)]
    """Known limits, for the model card."""
    escalation_path: Text
    """Where people turn when the model does harm."""
    owners: Owners
    """People who answer for the model."""
    success_metrics: Annotated[list[SuccessMetric], Field(min_length=1)]
    """Goals, fixed before training."""

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        names = [metric.name for metric in self.success_metrics]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"success_metrics: each has a name of its own; twice: {', '.join(map(repr, twice))}")
        return self
