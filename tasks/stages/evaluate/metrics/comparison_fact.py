"""Definition of a fact about the comparison of the candidate with another model, for gates."""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.core.facts import Fact
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.model_names import ModelName


@dataclass(frozen=True)
class ComparisonFact:
    name: str
    """First part of the fact's full name `evaluate.NAME_MODEL`, in which MODEL is `base` or `champion`."""
    fact: Callable[[ModelName, Comparison], Fact]
