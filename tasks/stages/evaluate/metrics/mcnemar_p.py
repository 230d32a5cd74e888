"""`mcnemar_p_MODEL`: would so unequal gains and losses arise from two equally good models? A probability."""

from tasks.core.facts import Fact
from tasks.stages.evaluate.contenders import Which
from tasks.stages.evaluate.document import Comparison
from tasks.stages.evaluate.metrics.compared import Compared


def fact(other: Which, compared: Comparison) -> Fact:
    note = f"exact McNemar test: {compared.gained} of {compared.rows:,} rows gained, {compared.lost} lost"
    return Fact(value=compared.p, note=note)


COMPARED = Compared("mcnemar_p", fact)
