"""Document with the results of a comparison, for `--json` and the HTML page."""

from tasks.compare.metrics import StateScores
from tasks.compare.model_terms import ModelTerms
from tasks.compare.outcome import AnsweringMeasurements, ModelState, TrainingMeasurements
from tasks.core.documents.config import FrozenModel
from tasks.stages.evaluate.metrics import exact_match
from tasks.stages.evaluate.metrics_schema import Comparison, MetricDescription
from tasks.stages.evaluate.uncertainty import Interval


class ComparedModel(FrozenModel):
    name: str
    model: str
    """Description of the model's origin, for people."""
    provider: str | None
    region: str | None
    terms: ModelTerms
    allowed: bool
    """Whether policy allows the model."""
    left_out: str | None
    """Reason why the evaluation of the model is missing or incomplete; null if it is complete."""
    parameters: int | None = None
    context: int | None = None
    """Context length in tokens; null if the model states no limit or was not evaluated."""
    longest_prompt: int | None = None
    """Length of the longest prompt, in tokens of the model's own tokenizer."""
    training_gb: float | None = None
    """Estimated memory that a training worker needs, in GB."""
    standings: dict[ModelState, StateScores] = {}
    taken: dict[ModelState, AnsweringMeasurements] = {}
    trained: TrainingMeasurements | None = None
    learnt: Comparison | None = None
    """Comparison of the model's answers after fine-tuning with those before; null if the model was not fine-tuned."""

    def quality(self, state: ModelState) -> Interval:
        return self.standings[state].scores[exact_match.METRIC.name]

    def cost(self, state: ModelState) -> float | None:
        """Return the cost of 1,000 requests in USD, or None if the model was not evaluated in this state."""
        return self.taken[state].cost_per_1000_requests if state in self.taken else None


class ComparisonDocument(FrozenModel):
    use_case: str
    run: str
    """Id of the run whose training partition the rows were taken from."""
    demo: bool
    """Whether a demo identity approved the run's data."""
    asked: int
    """Number of rows that every base model answers. None of these rows has the same prompt as a training row."""
    trained_on: int
    languages: dict[str, int]
    """Number of answered rows by language."""
    state: ModelState
    """State in which base models are ranked: `zero_shot` or `fine_tuned`."""
    best: str | None
    """Name of the allowed base model with the best exact-match score; if several are tied, the cheapest of them. Null
    if no allowed base model was evaluated."""
    confidence: float
    price_per_hour: float
    """Price of the serving machine in USD per hour."""
    metrics: list[MetricDescription]
    bases: list[ComparedModel]
    """Base models, in the order of the file that lists them."""
    machine: str
