"""What a comparison of the candidate with another model states for gates."""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.core.facts import Fact
from tasks.stages.evaluate.contenders import Which
from tasks.stages.evaluate.document import Comparison


@dataclass(frozen=True)
class Compared:
    name: str
    """The figure is `evaluate.NAME_MODEL`, by the model that the candidate is compared with."""
    fact: Callable[[Which, Comparison], Fact]
