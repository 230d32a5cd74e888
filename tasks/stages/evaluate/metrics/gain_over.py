"""Fact `gain_over_MODEL`: exact match of the candidate minus that of the other model, on rows that both answered."""

from tasks.core.facts import Fact
from tasks.stages.evaluate.metrics.comparison_fact import ComparisonFact
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.model_names import ModelName


def fact(other: ModelName, compared: Comparison) -> Fact:
    gain = compared.gain
    note = f"exact match minus that of the {other} on {compared.rows:,} rows; Newcombe's paired interval"
    return Fact(value=gain.value, low=gain.low, high=gain.high, note=note)


FACT = ComparisonFact("gain_over", fact)
