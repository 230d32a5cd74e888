"""Every metric, in the order in which it is shown: a line each."""

from tasks.stages.evaluate.metrics import exact_match, format_adherence, gain_over, macro_f1, mcnemar_p
from tasks.stages.evaluate.metrics.compared import Compared
from tasks.stages.evaluate.metrics.metric import Metric

METRICS: tuple[Metric, ...] = (
    exact_match.METRIC,
    macro_f1.METRIC,
    format_adherence.METRIC,
)

COMPARISONS: tuple[Compared, ...] = (
    gain_over.COMPARED,
    mcnemar_p.COMPARED,
)
