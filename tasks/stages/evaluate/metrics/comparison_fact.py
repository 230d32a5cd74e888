"""Definition of a metric that compares the candidate with another model and can be judged by gates."""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.core.facts import Fact
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.model_names import ModelName


@dataclass(frozen=True)
class ComparisonFact:
    name: str
    """Value of NAME in the metric's full name `evaluate.NAME_MODEL`, in which MODEL is `base` or `champion`."""
    compute_fact: Callable[[ModelName, Comparison], Fact]
