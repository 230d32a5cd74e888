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
    """Data parameters of that run that differ from the current ones. A run with the best trial's parameters needs these
    too."""
    trials: list[Trial]
    """Trials in the order of execution."""

    @property
    def ranked(self) -> list[Trial]:
        """Trials by validation loss, lowest first. Stopped trials come after completed ones, and failed trials last."""
        return sorted(self.trials, key=_rank)

    @property
    def best(self) -> Trial | None:
        """Completed trial with the lowest validation loss; None if no trial was completed."""
        first = self.ranked[0]
        return first if first.outcome and not first.outcome.stopped else None


def _rank(it: Trial) -> tuple[int, float]:
    if it.outcome is None:
        return 2, 0.0
    return int(it.outcome.stopped), it.outcome.best[early_stopping.VALIDATION_LOSS]
