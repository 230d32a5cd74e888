"""Fact `mcnemar_p_MODEL`: p-value of McNemar's test.

If both models are equally good, this is the probability of a difference at least as large between the numbers of gained
and lost rows.
"""

from tasks.core.facts import Fact
from tasks.stages.evaluate.metrics.comparison_fact import ComparisonFact
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.model_names import ModelName


def fact(other: ModelName, compared: Comparison) -> Fact:
    note = f"exact McNemar test: {compared.gained} of {compared.rows:,} rows gained, {compared.lost} lost"
    return Fact(value=compared.p, note=note)


FACT = ComparisonFact("mcnemar_p", fact)
