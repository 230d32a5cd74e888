"""Paired comparison of two models on the same cases of a suite."""

from collections.abc import Sequence

from tasks.stages.evaluate import model_comparison, uncertainty
from tasks.stages.evaluate.suites import statistics
from tasks.stages.evaluate.suites.results_schema import SuiteComparison
from tasks.stages.evaluate.suites.statistics import Outcomes


def compare_outcomes(candidate: Outcomes, other: Outcomes, confidence: float) -> SuiteComparison:
    """Compare the candidate with another model. The p-value is not corrected yet."""
    cases = uncertainty.count_pairs(candidate.passed, other.passed)
    clusters = statistics.cluster_pairs(candidate, other)
    gain, p = statistics.gain(candidate, other, confidence), uncertainty.mcnemar_p(clusters)
    return SuiteComparison(
        gained=cases.gained,
        lost=cases.lost,
        gain=gain,
        p=p,
        p_holm=p,
        smallest_detectable=uncertainty.smallest_detectable_gain(clusters, confidence),
        verdict=model_comparison.verdict(gain, p, confidence),
    )


def correct_p_values(comparisons: Sequence[SuiteComparison], confidence: float) -> list[SuiteComparison]:
    """Correct the p-values of one family of comparisons by Holm, and the verdicts with them."""
    return [
        each.model_copy(update={"p_holm": p, "verdict": model_comparison.verdict(each.gain, p, confidence)})
        for each, p in zip(comparisons, uncertainty.holm_correction([each.p for each in comparisons]), strict=True)
    ]
