"""Comparison of groups of cases: the lowest pass rate of a group, and the largest difference between two.

A group that is chosen because its rate is the lowest looks worse than it is, so that its own interval would be too
narrow. The intervals here hold for all groups, or all pairs of groups, at once (Bonferroni), and therefore for the
lowest rate and the largest difference too, whichever groups they are of.
"""

from collections.abc import Mapping
from itertools import permutations

from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.suites import statistics
from tasks.stages.evaluate.suites.results_schema import GroupComparison
from tasks.stages.evaluate.suites.statistics import Outcomes
from tasks.stages.evaluate.uncertainty import Interval


def compare_groups(by: str, groups: Mapping[str, Outcomes], confidence: float) -> GroupComparison:
    """Compare the pass rates of two groups or more. Groups are taken as independent.

    Groups that share test rows are alike, so that the true interval of their difference is narrower.
    """
    each = 1 - (1 - confidence) / len(groups)
    rates = {value: statistics.pass_rate(outcomes, each) for value, outcomes in groups.items()}
    lowest = min(rates, key=lambda value: rates[value].value)
    differences = _differences(groups, confidence)
    best, worst = max(differences, key=lambda pair: differences[pair].value)
    return GroupComparison(
        by=by,
        groups=len(groups),
        lowest=lowest,
        lowest_rate=Interval.rounded(
            rates[lowest].value, min(rate.low for rate in rates.values()), min(rate.high for rate in rates.values())
        ),
        best=best,
        worst=worst,
        largest_difference=Interval.rounded(
            differences[best, worst].value,
            max(0.0, *(difference.low for difference in differences.values())),
            max(difference.high for difference in differences.values()),
        ),
    )


def _differences(groups: Mapping[str, Outcomes], confidence: float) -> dict[tuple[str, str], Interval]:
    """Return the differences of all pairs of groups in both orders, with intervals that hold for all at once."""
    pairs = len(groups) * (len(groups) - 1) // 2
    each = 1 - (1 - confidence) / pairs
    scores = {value: statistics.score_interval(outcomes, each) for value, outcomes in groups.items()}
    return {
        (first, second): uncertainty.independent_difference(scores[first], scores[second])
        for first, second in permutations(groups, 2)
    }
