"""A comparison, as `--json` prints it and the page shows it."""

from tasks.compare.allowed import Terms
from tasks.compare.figures import Standing
from tasks.compare.outcome import State, Taken, Trained
from tasks.core.config import Frozen
from tasks.stages.evaluate.document import Comparison, Described
from tasks.stages.evaluate.intervals import Interval
from tasks.stages.evaluate.metrics import exact_match


class Compared(Frozen):
    """One base model."""

    name: str
    model: str
    """Where it comes from, in words."""
    provider: str | None
    region: str | None
    terms: Terms
    allowed: bool
    """By policy; it opens no gate."""
    left_out: str | None
    """Why it was not asked to the end, in words; null where it was."""
    parameters: int | None = None
    context: int | None = None
    """Tokens; null where it was not asked, or states no limit."""
    longest_prompt: int | None = None
    """Tokens, by its own tokenizer."""
    training_gb: float | None = None
    """What preflight says that a worker needs."""
    standings: dict[State, Standing] = {}
    taken: dict[State, Taken] = {}
    trained: Trained | None = None
    learnt: Comparison | None = None
    """After the fine-tune against before."""

    def quality(self, state: State) -> Interval:
        """The share of right answers."""
        return self.standings[state].scores[exact_match.METRIC.name]

    def cost(self, state: State) -> float | None:
        """USD for 1,000 requests; null where it was not asked."""
        return self.taken[state].cost_per_1000_requests if state in self.taken else None


class Document(Frozen):
    use_case: str
    run: str
    """Whose training rows these are."""
    demo: bool
    """Demo identities let the run's data pass."""
    asked: int
    """Rows, the same for every base model; none shares a prompt with one that is trained on."""
    trained_on: int
    languages: dict[str, int]
    """Asked rows by language."""
    state: State
    """In which the best is looked for."""
    best: str | None
    """The base model with most right answers among those that policy allows; of equals the cheaper one."""
    confidence: float
    price_per_hour: float
    """USD, of the machine that serves."""
    metrics: list[Described]
    bases: list[Compared]
    """As their file lists them."""
    machine: str
