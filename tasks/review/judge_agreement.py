"""Agreement of automatic judges with the experts.

A judge's verdicts about both answers of a pair say what experts can say: one is good, both are, or neither is. Pairs
on which experts are split or the judge failed are left out. Sampled pairs are not typical for the run, since contested
ones come first. Kappa (J. Cohen, A Coefficient of Agreement for Nominal Scales, 1960) has a bootstrap interval over
test rows and cases.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tasks.gates.signed_review import JudgeAgreement, ReviewFigure
from tasks.labels.agreement.bootstrap import CONFIDENCE, estimate
from tasks.labels.agreement.krippendorff import Floats
from tasks.review.answer_order import OrderedPair, ReviewPairs
from tasks.review.outcomes import OUTCOMES, Outcome, Preference
from tasks.review.pairs import Verdict
from tasks.stages.evaluate.suites import statistics
from tasks.stages.evaluate.suites.statistics import Outcomes


def measure_judges(review: ReviewPairs, outcomes: Mapping[str, Outcome], seed: int) -> dict[str, JudgeAgreement]:
    """Return the agreement with each metric and suite that has verdicts about labelled pairs, by name."""
    compared: dict[str, list[tuple[OrderedPair, Preference, Outcome]]] = {}
    for pair in review.pairs:
        outcome = outcomes.get(pair.item, "split")
        for name, verdict in pair.verdicts.items():
            said = implied_preference(verdict)
            if outcome != "split" and said is not None:
                compared.setdefault(name, []).append((pair, said, outcome))
    return {name: _agreement(each, seed) for name, each in sorted(compared.items())}


def implied_preference(verdict: Verdict) -> Preference | None:
    """Return what verdicts about both answers say about the pair; None if the judge failed on one."""
    if verdict.candidate is None or verdict.other is None:
        return None
    if verdict.candidate == verdict.other:
        return "both" if verdict.candidate else "neither"
    return "candidate" if verdict.candidate else "other"


def _agreement(compared: Sequence[tuple[OrderedPair, Preference, Outcome]], seed: int) -> JudgeAgreement:
    clusters = [pair.cluster for pair, _, _ in compared]
    judge, experts = ([OUTCOMES.index(each[place]) for each in compared] for place in (1, 2))
    share = statistics.pass_rate(
        Outcomes([ours == theirs for ours, theirs in zip(judge, experts, strict=True)], clusters), CONFIDENCE
    )
    names = {name: place for place, name in enumerate(dict.fromkeys(clusters))}
    places = np.array([names[cluster] for cluster in clusters])
    table = estimate(lambda weights: cohens_kappa(judge, experts, weights[places]), len(names), seed)
    return JudgeAgreement(
        share=ReviewFigure(**share.model_dump(), pairs=len(compared)),
        kappa=ReviewFigure(value=table.value, low=table.low, high=table.high, pairs=len(compared)),
    )


def cohens_kappa(first: Sequence[int], second: Sequence[int], weights: Floats) -> float:
    """Return Cohen's kappa of two raters, or NaN if both always say the same one thing.

    Args:
        first: Number of the category that the first rater chose, for each item.
        second: The same of the second rater.
        weights: Number of times that each item counts.
    """
    table = np.zeros((len(OUTCOMES), len(OUTCOMES)))
    np.add.at(table, (np.asarray(first), np.asarray(second)), weights)
    shares = table / table.sum()
    expected = float(shares.sum(axis=1) @ shares.sum(axis=0))
    return float("nan") if np.isclose(expected, 1) else (float(np.trace(shares)) - expected) / (1 - expected)
