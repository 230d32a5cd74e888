"""Definition of a fact about the comparison of the candidate with another model, for gates."""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.core.facts import Fact
from tasks.stages.evaluate.contenders import ModelName
from tasks.stages.evaluate.document import Comparison


@dataclass(frozen=True)
class ComparisonFact:
    """Fact about a comparison, with its name and computation."""

    name: str
    """First part of the fact's name, which is `evaluate.NAME_MODEL`; MODEL is base or champion."""
    fact: Callable[[ModelName, Comparison], Fact]
