"""Metric `smallest_detectable_MODEL`: smallest true gain or loss that the comparison would have detected.

A comparison of few rows finds no difference, whatever the models are. A gate that reads a missing difference as
equality therefore needs a check of this metric too.
"""

from tasks.core.facts import Fact
from tasks.core.power import POWER
from tasks.stages.evaluate.metrics.comparison_fact import ComparisonFact
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.model_names import ModelName


def smallest_detectable_fact(other: ModelName, compared: Comparison) -> Fact:
    note = f"smallest true difference that {compared.rows:,} rows show with {POWER:.0%} power"
    return Fact(value=compared.smallest_detectable, note=note)


FACT = ComparisonFact("smallest_detectable", smallest_detectable_fact)
