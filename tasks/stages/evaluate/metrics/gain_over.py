"""Metric `gain_over_MODEL`: the candidate's exact match minus the other model's, over the rows that both answered."""

from tasks.core.facts import Fact
from tasks.stages.evaluate.metrics.comparison_fact import ComparisonFact
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.model_names import ModelName


def gain_fact(other: ModelName, compared: Comparison) -> Fact:
    gain = compared.gain
    note = f"exact match minus that of the {other} on {compared.rows:,} rows; Newcombe's paired interval"
    return Fact(value=gain.value, low=gain.low, high=gain.high, note=note)


FACT = ComparisonFact("gain_over", gain_fact)
