"""Metric `mcnemar_p_MODEL`: p-value of McNemar's test.

Under the hypothesis that both models are equally good, this is the probability that the numbers of gained and lost rows
differ at least as much as observed.
"""

from tasks.core.facts import Fact
from tasks.stages.evaluate.metrics.comparison_fact import ComparisonFact
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.model_names import ModelName


def p_value_fact(other: ModelName, compared: Comparison) -> Fact:
    note = f"exact McNemar test: {compared.gained} of {compared.rows:,} rows gained, {compared.lost} lost"
    return Fact(value=compared.p, note=note)


FACT = ComparisonFact("mcnemar_p", p_value_fact)
