"""Choice of the trials of a sweep, and their early stopping, by Optuna.

Trials are stopped by asynchronous successive halving on the validation loss (Li et al., "A System for Massively
Parallel Hyperparameter Tuning", MLSys 2020).
"""

import random
from collections.abc import Sequence
from typing import Any

from tasks.sweep import search_space
from tasks.sweep.search_space import Axis

DEFAULT_TRIALS = 10
MIN_EVALUATIONS, REDUCTION_FACTOR = 2, 3
"""Settings of successive halving: trials are first compared at their second evaluation on the validation rows, and then
whenever the number of evaluations has tripled. Only the best third of the trials with that many evaluations
continues."""


def new_study(halving: bool, seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    halves = optuna.pruners.SuccessiveHalvingPruner(min_resource=MIN_EVALUATIONS, reduction_factor=REDUCTION_FACTOR)
    pruner = halves if halving else optuna.pruners.NopPruner()
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)


def study_without_failures(study: Any, halving: bool, seed: int) -> Any:
    """Return a copy of the study without failed trials, because Optuna would still compare with their losses."""
    fresh = new_study(halving, seed)
    fresh.add_trials([each for each in study.get_trials() if each.state != trial_state("FAIL")])
    return fresh


def enqueue_trials(study: Any, axes: Sequence[Axis], trials: int | None, seed: int) -> int:
    """Queue the trials that are known in advance, and return the number of all trials.

    Without ranges, these are all combinations of values, or a random sample of `trials` combinations. With ranges, no
    trial is known in advance.
    """
    if any(not axis.values for axis in axes):
        return trials or DEFAULT_TRIALS
    corners = list(search_space.combinations(axes))
    if trials is not None and trials < len(corners):
        corners = random.Random(seed).sample(corners, trials)
    for corner in corners:
        study.enqueue_trial(dict(corner))
    return len(corners)


def trial_state(name: str) -> Any:
    """Return Optuna's state of a trial: COMPLETE, PRUNED or FAIL."""
    from optuna.trial import TrialState

    return TrialState[name]
