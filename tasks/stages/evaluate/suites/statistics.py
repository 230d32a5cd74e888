"""Pass rates with intervals, and paired comparisons of models, where cases of one test row are not independent.

Cases that are derived from one row are a cluster: a model that is wrong about the row is likely to be wrong about all
its variants. Pass rates have the interval of Korn and Graubard (Survey Methodology 24, 1998), which is that of Clopper
and Pearson with the effective number of cases, so that it holds for rare failures and for clusters. Without clusters it
is the exact interval of Clopper and Pearson. Gains have Newcombe's interval for paired proportions with effective
numbers of cases, and McNemar's exact test over clusters.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.uncertainty import Interval, PairedCounts


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of one model's cases, in the order of the cases. There is at least one case."""

    passed: Sequence[bool]
    clusters: Sequence[str]
    """Cluster of each case."""

    @property
    def rate(self) -> float:
        return sum(self.passed) / len(self.passed)

    def effective_cases(self, confidence: float) -> float:
        """Return the number of independent cases that would show as much as these, at most the number of cases.

        Without a difference between clusters, their variance says nothing, and each cluster counts as one case.
        """
        cases, size = len(self.passed), len(set(self.clusters))
        if size == cases:
            return cases
        if size == 1:
            return 1
        totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for passed, cluster in zip(self.passed, self.clusters, strict=True):
            totals[cluster][0] += passed
            totals[cluster][1] += 1
        residuals = np.array([hits - self.rate * cases_of for hits, cases_of in totals.values()])
        variance = size / (size - 1) * float((residuals**2).sum()) / cases**2
        if variance == 0:
            return size
        return min(cases, self.rate * (1 - self.rate) / variance * _degrees_of_freedom_factor(cases, size, confidence))


def _degrees_of_freedom_factor(cases: int, clusters: int, confidence: float) -> float:
    from scipy.stats import t

    quantile = (1 + confidence) / 2
    return float((t.ppf(quantile, cases - 1) / t.ppf(quantile, clusters - 1)) ** 2)


def pass_rate(outcomes: Outcomes, confidence: float) -> Interval:
    """Return the proportion of passed cases with its interval."""
    of = outcomes.effective_cases(confidence)
    return uncertainty.exact_interval(outcomes.rate * of, of, confidence)


def gain(candidate: Outcomes, other: Outcomes, confidence: float) -> Interval:
    """Return the candidate's pass rate minus the other model's, on the same cases, with a paired interval."""
    first, second = (score_interval(each, confidence) for each in (candidate, other))
    return uncertainty.paired_difference(first, second, uncertainty.count_pairs(candidate.passed, other.passed))


def score_interval(outcomes: Outcomes, confidence: float) -> Interval:
    """Return the proportion of passed cases with Wilson's score interval for the effective number of cases."""
    from statsmodels.stats.proportion import proportion_confint

    of = outcomes.effective_cases(confidence)
    low, high = proportion_confint(outcomes.rate * of, of, alpha=1 - confidence, method="wilson")
    return Interval.rounded(outcomes.rate, float(low), float(high))


def cluster_pairs(candidate: Outcomes, other: Outcomes) -> PairedCounts:
    """Count the clusters in which the candidate passes more cases than the other model, fewer, or as many.

    Clusters with as many count as passed by both if any case passed, else as passed by neither.
    """
    ahead: dict[str, int] = defaultdict(int)
    any_passed: dict[str, bool] = defaultdict(bool)
    for ours, theirs, cluster in zip(candidate.passed, other.passed, candidate.clusters, strict=True):
        ahead[cluster] += ours - theirs
        any_passed[cluster] |= ours
    equal = [cluster for cluster, difference in ahead.items() if difference == 0]
    both = sum(any_passed[cluster] for cluster in equal)
    gained = sum(difference > 0 for difference in ahead.values())
    return PairedCounts(both, gained, len(ahead) - len(equal) - gained, len(equal) - both)
