"""Schema of metrics.json: the metrics of an evaluation, over all rows and by slice."""

from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.evaluate.uncertainty import Interval


class MetricDescription(FrozenModel):
    """Description of a metric, so that readers of metrics.json need no list of metrics (`metrics/metric.py`)."""

    name: str
    title: str
    about: str
    """Subject of the metric in two or three words, for example "right answers"."""
    unit: str
    """Unit as printed; empty for a share from 0 to 1."""
    note: str
    """Computation over rows, and kind of the interval, in a few words."""
    interval: str
    """Kind of the interval: Wilson, bootstrap, …"""
    explanation: str
    """Meaning of the metric for this use case's target."""


class Comparison(FrozenModel):
    """Comparison of the candidate with another model, on the rows that both answered."""

    rows: int
    gained: int
    """Number of rows on which only the candidate is right."""
    lost: int
    """Number of rows on which only the other model is right."""
    gain: Interval
    """Exact match of the candidate minus that of the other model, with Newcombe's paired interval."""
    gains: dict[str, Interval]
    """Candidate's value minus the other model's, with a paired interval, by metric; for metrics that compute gains."""
    p: float
    """Two-sided p-value of McNemar's exact test."""
    p_holm: float
    """The p-value after Holm's correction for comparing all slices of one kind; equal to p over all rows."""
    smallest_detectable: float
    """Smallest true gain that this number of rows would show with 80 % power."""
    verdict: Literal["better", "worse", "undecided"]
    """Better or worse if p_holm is below 1 - confidence and the gain's interval excludes zero, else undecided."""


class GroupMetrics(FrozenModel):
    """Metrics over one group of rows: all rows, or a slice."""

    by: Literal["all", "department", "language", "kind", "source"]
    """Field by which the slice is defined; `all` for all rows."""
    value: str
    """Value of that field in these rows; empty for all rows."""
    rows: int
    answered: dict[ModelName, int]
    """Number of rows that each model answered; the base model may answer a sample only."""
    scores: dict[ModelName, dict[str, Interval]]
    """Metrics of each model, by name, on the rows that it answered; without models that answered none."""
    comparisons: dict[ModelName, Comparison]
    """Comparisons of the candidate, by the other model: base, and champion if there is one."""


class LabelScore(FrozenModel):
    """Scores of the candidate for one expected label."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float


class Confusion(FrozenModel):
    """Number of rows on which the candidate answered a certain wrong label in place of the expected one."""

    expected: str
    answered: str
    """Label of the answer; empty if the answer has none."""
    rows: int


class Metrics(FrozenModel):
    """Contents of metrics.json."""

    target: Literal["json", "label"]
    """Form of the answers, `evaluation.target` of params.yaml."""
    label_field: str | None
    """Field of JSON answers that is the label; null for target `label`."""
    confidence: float
    """Confidence level of every interval, for example 0.95."""
    metrics: list[MetricDescription]
    """Descriptions of the metrics, in the order in which they are shown."""
    compared: str
    """Name of the metric that gains and verdicts are about."""
    overall: GroupMetrics
    """Metrics over all rows."""
    slices: list[GroupMetrics]
    """Metrics by department, language, kind and source; every row is in one slice of each."""
    labels: list[LabelScore]
    """Scores of every expected label, sorted by label."""
    confusions: list[Confusion]
    """Wrong labels, most frequent first."""
