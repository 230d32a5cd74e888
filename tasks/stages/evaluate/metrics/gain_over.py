"""Fact `gain_over_MODEL`: exact match of the candidate minus that of the other model, on rows that both answered."""

from tasks.core.facts import Fact
from tasks.stages.evaluate.contenders import Which
from tasks.stages.evaluate.document import Comparison
from tasks.stages.evaluate.metrics.compared import Compared


def fact(other: Which, compared: Comparison) -> Fact:
    gain = compared.gain
    note = f"exact match minus that of the {other} on {compared.rows:,} rows; Newcombe's paired interval"
    return Fact(value=gain.value, low=gain.low, high=gain.high, note=note)


COMPARED = Compared("gain_over", fact)
