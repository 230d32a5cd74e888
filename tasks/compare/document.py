"""Comparison of base models as a document, for `--json` and the page."""

from tasks.compare.metrics import StateScores
from tasks.compare.model_terms import ModelTerms
from tasks.compare.outcome import AnsweringFigures, State, TrainingFigures
from tasks.core.documents.config import FrozenModel
from tasks.stages.evaluate.metrics import exact_match
from tasks.stages.evaluate.metrics_schema import Comparison, MetricDescription
from tasks.stages.evaluate.uncertainty import Interval


class ComparedModel(FrozenModel):
    """One base model of a comparison."""

    name: str
    model: str
    """Origin of the model, in words."""
    provider: str | None
    region: str | None
    terms: ModelTerms
    allowed: bool
    """Whether policy allows it."""
    left_out: str | None
    """Reason why it was not evaluated completely, in words; null if it was."""
    parameters: int | None = None
    context: int | None = None
    """Context length in tokens; null if it was not evaluated or states no limit."""
    longest_prompt: int | None = None
    """Number of tokens of the longest prompt, by the model's own tokenizer."""
    training_gb: float | None = None
    """Estimated memory of a training worker in GB."""
    standings: dict[State, StateScores] = {}
    taken: dict[State, AnsweringFigures] = {}
    trained: TrainingFigures | None = None
    learnt: Comparison | None = None
    """Comparison of its answers after the fine-tune with those before."""

    def quality(self, state: State) -> Interval:
        return self.standings[state].scores[exact_match.METRIC.name]

    def cost(self, state: State) -> float | None:
        """Return the cost of 1,000 requests in USD; None if it was not evaluated in this state."""
        return self.taken[state].cost_per_1000_requests if state in self.taken else None


class ComparisonDocument(FrozenModel):
    use_case: str
    run: str
    """Run from whose training partition the rows come."""
    demo: bool
    """Whether a demo identity approved the run's data."""
    asked: int
    """Number of rows that every base model answers. None has a prompt in common with a row trained on."""
    trained_on: int
    languages: dict[str, int]
    """Number of answered rows by language."""
    state: State
    """State in which base models are ranked."""
    best: str | None
    """Allowed base model with the largest share of right answers; if several have it, the cheapest of them."""
    confidence: float
    price_per_hour: float
    """Price of the serving machine in USD per hour."""
    metrics: list[MetricDescription]
    bases: list[ComparedModel]
    """Base models in the order of their file."""
    machine: str
