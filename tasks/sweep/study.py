"""Choice of a sweep's trials and their early stopping, with Optuna.

Trials are stopped by asynchronous successive halving on the validation loss (Li et al., "A System for Massively
Parallel Hyperparameter Tuning", MLSys 2020).
"""

import random
from collections.abc import Sequence
from typing import Any

from tasks.sweep import search_space
from tasks.sweep.search_space import SearchAxis

DEFAULT_TRIALS = 10
MIN_EVALUATIONS_BEFORE_STOP, REDUCTION_FACTOR = 2, 3
"""Settings of successive halving. A trial is first compared with others at its second evaluation on the validation
rows, and then whenever its number of evaluations has tripled. It continues only if it is in the best third."""


def new_study(stops_early: bool, seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    halves = optuna.pruners.SuccessiveHalvingPruner(
        min_resource=MIN_EVALUATIONS_BEFORE_STOP, reduction_factor=REDUCTION_FACTOR
    )
    pruner = halves if stops_early else optuna.pruners.NopPruner()
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)


def study_without_failures(study: Any, stops_early: bool, seed: int) -> Any:
    """Return a copy of the study without failed trials. Optuna would otherwise compare new trials with their losses."""
    fresh = new_study(stops_early, seed)
    fresh.add_trials([each for each in study.get_trials() if each.state != optuna_trial_state("FAIL")])
    return fresh


def enqueue_trials(study: Any, axes: Sequence[SearchAxis], trials: int | None, seed: int) -> int:
    """Queue the trials that are known in advance, and return the total number of trials.

    If no axis is a range, all combinations of values are queued, or a random sample of `trials` combinations. If an
    axis is a range, nothing is queued, because Optuna suggests each trial later.
    """
    if any(not axis.values for axis in axes):
        return trials or DEFAULT_TRIALS
    corners = list(search_space.value_combinations(axes))
    if trials is not None and trials < len(corners):
        corners = random.Random(seed).sample(corners, trials)
    for corner in corners:
        study.enqueue_trial(dict(corner))
    return len(corners)


def optuna_trial_state(name: str) -> Any:
    """Return Optuna's constant for a trial state: COMPLETE, PRUNED or FAIL."""
    from optuna.trial import TrialState

    return TrialState[name]
