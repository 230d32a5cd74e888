"""What a sweep found."""

from tasks.core.config import Frozen
from tasks.stages.train import early_stopping
from tasks.sweep.trial import Outcome


class Trial(Frozen):
    number: int
    changes: dict[str, str]
    outcome: Outcome | None
    failure: str | None = None


class Document(Frozen):
    use_case: str
    run: str
    """Whose rows they are."""
    demo: bool
    made_with: dict[str, str] = {}
    """Parameters by which the run made them, where those of now are others: a run with what was found needs them."""
    trials: list[Trial]
    """In the order in which they were made."""

    @property
    def ranked(self) -> list[Trial]:
        """The lowest validation loss first; those that were stopped behind those that were not, failures last."""
        return sorted(self.trials, key=_rank)

    @property
    def best(self) -> Trial | None:
        """Of those that came to their end."""
        first = self.ranked[0]
        return first if first.outcome and not first.outcome.stopped else None


def _rank(it: Trial) -> tuple[int, float]:
    if it.outcome is None:
        return 2, 0.0
    return int(it.outcome.stopped), it.outcome.best[early_stopping.LOSS]
