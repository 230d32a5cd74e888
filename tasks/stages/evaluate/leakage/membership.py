"""Membership inference: whether training rows can be told from test rows by a model's loss.

The attack by reference subtracts the loss of the base model (Carlini et al., Membership Inference Attacks From First
Principles, S&P 2022, report it at low false-positive rates, because an attack that is rarely wrong does harm even if it
seldom succeeds). A row's score is its negative mean loss per token.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.leakage.results_schema import AttackRate, AttackResults, MembershipResults
from tasks.stages.evaluate.uncertainty import Interval

FALSE_POSITIVE_RATES = (0.01, 0.05)
SMALLEST_STEP = 1e-9
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class RowLosses:
    """Mean losses per token of one model, in nats."""

    train: Sequence[float]
    test: Sequence[float]


def membership_results(candidate: RowLosses, base: RowLosses, confidence: float) -> MembershipResults:
    """Return the power of each attack. Both models' losses are of the same rows, at least one of each kind."""
    members, others = -np.asarray(candidate.train), -np.asarray(candidate.test)
    base_members, base_others = -np.asarray(base.train), -np.asarray(base.test)
    return MembershipResults(
        train_rows=len(members),
        test_rows=len(others),
        by_reference=attack_results(members - base_members, others - base_others, confidence),
        by_loss=attack_results(members, others, confidence),
        of_base=attack_results(base_members, base_others, confidence),
    )


def attack_results(members: Scores, others: Scores, confidence: float) -> AttackResults:
    return AttackResults(
        auc=auc_interval(area_under_curve(members, others), len(members), len(others), confidence),
        rates=[attack_rate(members, others, limit, confidence) for limit in FALSE_POSITIVE_RATES],
    )


def area_under_curve(members: Scores, others: Scores) -> float:
    """Return the probability that a random member scores higher than a random other; equal scores count half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, members, "left")
    not_above = np.searchsorted(ordered, members, "right")
    return float((below + not_above).sum() / 2 / (len(members) * len(others)))


def auc_interval(auc: float, members: int, others: int, confidence: float) -> Interval:
    """Return an area under the curve with the score interval of Newcombe (Statistics in Medicine 25, 2006, method 5).

    It uses the variance of Hanley and McNeil at each end, and so has a width even if the area is 0 or 1.
    """
    low, below_rest = (_lower_end(area, members, others, confidence) for area in (auc, 1 - auc))
    return Interval.rounded(auc, low, 1 - below_rest)


def _lower_end(auc: float, members: int, others: int, confidence: float) -> float:
    from scipy.optimize import brentq
    from scipy.stats import norm

    z, mean_size = float(norm.isf((1 - confidence) / 2)), (members + others) / 2

    def distance(area: float) -> float:
        spread = 1 + (mean_size - 1) * ((1 - area) / (2 - area) + area / (1 + area))
        return auc - area - z * math.sqrt(area * (1 - area) * spread / (members * others))

    return float(brentq(distance, 0.0, min(auc, 1 - SMALLEST_STEP))) if auc > 0 else 0.0


def attack_rate(members: Scores, others: Scores, limit: float, confidence: float) -> AttackRate:
    """Return the proportion of members that score higher than all but `limit` of the others."""
    allowed = math.floor(limit * len(others) + SMALLEST_STEP)
    threshold = np.sort(others)[len(others) - 1 - allowed]
    return AttackRate(
        false_positive_rate=limit,
        allowed=allowed,
        true_positive_rate=uncertainty.exact_interval(int((members > threshold).sum()), len(members), confidence),
        is_underpowered=allowed == 0,
    )
