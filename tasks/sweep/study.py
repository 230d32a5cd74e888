"""Which trials a sweep takes, and which it stops early, by Optuna.

It halves asynchronously, by the looks at the validation rows (Li et al., "A System for Massively Parallel
Hyperparameter Tuning", MLSys 2020).
"""

import random
from collections.abc import Sequence
from typing import Any

from tasks.sweep import space
from tasks.sweep.space import Axis

TRIALS = 10
"""Where a parameter has a range and nobody says how many."""
FIRST, THIRD = 2, 3
"""The look at which trials are first compared, then after three times as many, and so on: a trial goes on where it is
among the best third of those that came so far."""


def new(halving: bool, seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    halves = optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST, reduction_factor=THIRD)
    pruner = halves if halving else optuna.pruners.NopPruner()
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)


def without_failures(study: Any, halving: bool, seed: int) -> Any:
    """A study that knows the other trials alone: Optuna would go on comparing with what a failed one had reached."""
    fresh = new(halving, seed)
    fresh.add_trials([each for each in study.get_trials() if each.state != state("FAIL")])
    return fresh


def enqueue(study: Any, axes: Sequence[Axis], trials: int | None, seed: int) -> int:
    """How many trials there are. Without ranges they are known beforehand: all combinations, or some of them."""
    if any(not axis.values for axis in axes):
        return trials or TRIALS
    corners = list(space.corners(axes))
    if trials is not None and trials < len(corners):
        corners = random.Random(seed).sample(corners, trials)
    for corner in corners:
        study.enqueue_trial(dict(corner))
    return len(corners)


def state(name: str) -> Any:
    """How a trial ended, in Optuna's words: COMPLETE, PRUNED or FAIL."""
    from optuna.trial import TrialState

    return TrialState[name]
