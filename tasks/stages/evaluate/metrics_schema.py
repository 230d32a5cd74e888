"""Schema of metrics.json: the metrics of an evaluation, over all rows and by slice."""

from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.stages.evaluate.confidence.schema import Calibration, Review
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.evaluate.uncertainty import Interval


class MetricDescription(FrozenModel):
    """Description of a metric, for readers of metrics.json who do not know the metric."""

    name: str
    title: str
    about: str
    """Subject of the metric in two or three words, for example "right answers"."""
    unit: str
    """Unit; empty for a proportion from 0 to 1."""
    note: str
    """Short description of the computation and of the kind of confidence interval."""
    interval: str
    """Kind of confidence interval, for example Wilson or bootstrap."""
    explanation: str
    """Explanation of the metric for answers in this use case's target format."""


class Comparison(FrozenModel):
    """Comparison of the candidate with another model, on the rows that both answered."""

    rows: int
    gained: int
    """Number of rows that only the candidate answered correctly."""
    lost: int
    """Number of rows that only the other model answered correctly."""
    gain: Interval
    """Exact match of the candidate minus that of the other model, with Newcombe's paired interval."""
    gains: dict[str, Interval]
    """Candidate's value minus the other model's value, with a paired interval, by metric. Metrics that compute no gains
    are omitted."""
    p: float
    """Two-sided p-value of McNemar's exact test."""
    p_holm: float
    """P-value with Holm's correction for multiple tests, which are the comparisons in all slices of the same field. For
    the group of all rows, it is equal to `p`."""
    smallest_detectable: float
    """Smallest true gain that this number of rows would detect with a power of 80 %."""
    verdict: Literal["better", "worse", "undecided"]
    """`better` or `worse` if `p_holm` is below 1 - confidence and the gain's interval excludes zero; otherwise
    `undecided`."""


class GroupMetrics(FrozenModel):
    """Metrics of one group of rows: all rows or a slice."""

    by: Literal["all", "department", "language", "kind", "source"]
    """Field that defines the slice; `all` for the group of all rows."""
    value: str
    """Value of that field in the slice; empty for the group of all rows."""
    rows: int
    answered: dict[ModelName, int]
    """Number of rows that each model answered. The base model may have answered only a sample."""
    scores: dict[ModelName, dict[str, Interval]]
    """Metrics by model and name. They are computed over the rows that the model answered. Models without answers are
    omitted."""
    comparisons: dict[ModelName, Comparison]
    """Comparisons of the candidate with each other model: `base`, and `champion` if there is one."""


class LabelScore(FrozenModel):
    """Scores of the candidate for one expected label."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float


class Confusion(FrozenModel):
    """Pair of an expected label and a wrong label that the candidate gave, with the number of such rows."""

    expected: str
    answered: str
    """Label of the answer; empty if the answer has none."""
    rows: int


class Metrics(FrozenModel):
    """Contents of metrics.json."""

    target: Literal["json", "label"]
    """Format of the answers, from `evaluation.target` in params.yaml."""
    label_field: str | None
    """Field of JSON answers that contains the label; null for target `label`."""
    confidence: float
    """Confidence level of every interval, for example 0.95."""
    metrics: list[MetricDescription]
    """Descriptions of the metrics, in the order in which they are shown."""
    compared: str
    """Name of the metric on which gains and verdicts are based."""
    overall: GroupMetrics
    slices: list[GroupMetrics]
    """Metrics of the slices by department, language, kind and source. Every row is in one slice for each field."""
    labels: list[LabelScore]
    """Scores of every expected label, sorted by label."""
    confusions: list[Confusion]
    """Counts of the candidate's wrong labels, most frequent first."""
    calibration: Calibration | None = None
    """Confidence against correctness of the candidate's answers; null if the answers have no confidence."""
    review: Review | None = None
    """Results of the review rule; null if `evaluation.required_precision` is null."""
