"""Fact `gain_over_MODEL`: exact match of the candidate minus that of the other model, on rows that both answered."""

from tasks.core.facts import Fact
from tasks.stages.evaluate.contenders import ModelName
from tasks.stages.evaluate.document import Comparison
from tasks.stages.evaluate.metrics.compared import ComparisonFact


def fact(other: ModelName, compared: Comparison) -> Fact:
    gain = compared.gain
    note = f"exact match minus that of the {other} on {compared.rows:,} rows; Newcombe's paired interval"
    return Fact(value=gain.value, low=gain.low, high=gain.high, note=note)


FACT = ComparisonFact("gain_over", fact)
