"""Result of a sweep as a document."""

from tasks.core.documents.config import FrozenModel
from tasks.stages.train import early_stopping
from tasks.sweep.trial import TrialOutcome


class Trial(FrozenModel):
    number: int
    changes: dict[str, str]
    outcome: TrialOutcome | None
    failure: str | None = None


class SweepDocument(FrozenModel):
    use_case: str
    run: str
    """Id of the run whose rows were used."""
    demo: bool
    made_with: dict[str, str] = {}
    """Data parameters of that run that differ from the current parameters. A new run with the best trial's parameters
    must use these values too."""
    trials: list[Trial]
    """Trials in the order of execution."""

    @property
    def ranked_trials(self) -> list[Trial]:
        """Trials sorted by validation loss, lowest first.

        Stopped trials come after completed ones, and failed trials last.
        """
        return sorted(self.trials, key=_rank)

    @property
    def best_trial(self) -> Trial | None:
        """Completed trial with the lowest validation loss; None if no trial was completed."""
        first = self.ranked_trials[0]
        return first if first.outcome and not first.outcome.stopped else None


def _rank(it: Trial) -> tuple[int, float]:
    if it.outcome is None:
        return 2, 0.0
    return int(it.outcome.stopped), it.outcome.best_point[early_stopping.VALIDATION_LOSS_KEY]
