"""Contents of the report, as the templates need them: verdicts in words, judged success metrics, quoted rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tasks.core.facts import Fact, Facts
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.use_case import SuccessMetric, UseCase
from tasks.stages.evaluate.judged_rows import SLICE_FIELDS, JudgedRow
from tasks.stages.evaluate.leakage.results_schema import LeakageResults
from tasks.stages.evaluate.metrics_schema import Comparison, GroupMetrics, Metrics
from tasks.stages.evaluate.model_names import MODEL_TITLES, ModelName
from tasks.stages.evaluate.report.planted_defects import PlantedDefects
from tasks.stages.evaluate.report.stage_results import StageResults
from tasks.stages.evaluate.report.suite_section import SuiteSection

MAX_QUOTED_ROWS = 6


@dataclass(frozen=True)
class ReportContents:
    card: UseCase
    evaluation: Evaluation
    metrics: Metrics
    facts: Facts
    examples: Sequence[JudgedRow]
    account: StageResults
    suites: SuiteSection
    leakage: LeakageResults | None
    """Leakage of training data; None if it was not measured."""
    measured: Mapping[ModelName, Facts] | None
    """Measurements of latency and cost by model; None for a page that must be the same on every machine."""
    trained: Facts = field(default_factory=dict)
    """Measurements of the training run; empty for a page that must be the same on every machine."""
    drill: PlantedDefects | None = None
    data_docs: str | None = None

    @property
    def models(self) -> list[ModelName]:
        return [which for which in MODEL_TITLES if which in self.metrics.overall.scores]


@dataclass(frozen=True)
class JudgedMetric:
    metric: SuccessMetric
    wanted: str
    """Threshold in words, for example `low end ≥ 0.7`."""
    measured: Fact | None
    """Fact with the metric's value; None if the value is not available on this page."""
    state: Literal["met", "missed", "elsewhere", "production"]
    """Outcome: `met` or `missed`, `elsewhere` if only the evaluation gate has the value, or `production` if the value
    is measured after the promotion."""


def judge_success_metrics(contents: ReportContents) -> list[JudgedMetric]:
    known = {f"evaluate.{name}": fact for name, fact in contents.facts.items()}
    if contents.measured is not None:
        stated = contents.measured.get("candidate", {})
        known |= {f"measured.predict.{name}": fact for name, fact in stated.items()}
    return [_judge(metric, known) for metric in contents.card.success_metrics]


def _judge(metric: SuccessMetric, known: Mapping[str, Fact]) -> JudgedMetric:
    sign, limit = ("≥", metric.at_least) if metric.at_least is not None else ("≤", metric.at_most)
    wanted = f"{'' if metric.bound == 'value' else f'{metric.bound} end '}{sign} {limit:g}"
    if metric.judged == "production":
        return JudgedMetric(metric, wanted, None, "production")
    fact = known.get(metric.fact)
    value = getattr(fact, metric.bound) if fact else None
    if fact is None or value is None or limit is None:
        return JudgedMetric(metric, wanted, fact, "elsewhere")
    met = value >= limit if metric.at_least is not None else value <= limit
    return JudgedMetric(metric, wanted, fact, "met" if met else "missed")


def verdict(other: ModelName, compared: Comparison, metrics: Metrics) -> str:
    than, gain, whole = MODEL_TITLES[other].lower(), compared.gain, metrics.overall.rows
    on = "" if compared.rows == whole else f" On a fixed sample of {compared.rows:,} of the {whole:,} rows."
    interval = f"{metrics.confidence:.0%} interval {format_points(gain.low)} to {format_points(gain.high)}"
    if compared.verdict != "undecided":
        amount = f"{abs(gain.value) * 100:.1f}"
        return f"{compared.verdict.capitalize()} than the {than} by {amount} points ({interval}).{on}"
    return (
        f"No difference from the {than} is shown: {format_points(gain.value)} points ({interval}). With "
        f"{compared.rows:,} rows the comparison is underpowered for true differences below "
        f"{compared.smallest_detectable * 100:.1f} points.{on}"
    )


def format_points(share: float) -> str:
    return f"{share * 100:+.1f}".replace("-", "−")


def headline_verdict(metrics: Metrics) -> Literal["better", "worse", "undecided"]:
    """Return the verdict against the champion or, if there is no champion, against the base model."""
    compared = metrics.overall.comparisons
    return compared["champion" if "champion" in compared else "base"].verdict


def conditions(settings: Evaluation) -> dict[str, str]:
    """Return the settings on which the answers and their intervals depend, by name in params.yaml."""
    named = ("engine", "device", "precision", "threads", "batch_size", "max_new_tokens", "base_rows", "leakage_rows",
             "seed", "bootstrap_samples", "confidence")  # fmt: skip
    return {"decoding": "greedy"} | {f"evaluation.{name}": str(getattr(settings, name)) for name in named}


@dataclass(frozen=True)
class SlicesOfField:
    by: str
    groups: list[GroupMetrics]


def slices_by_field(metrics: Metrics) -> list[SlicesOfField]:
    """Return the slices by field. Fields with a single value are omitted."""
    every = [SlicesOfField(by, [group for group in metrics.slices if group.by == by]) for by in SLICE_FIELDS]
    return [dimension for dimension in every if len(dimension.groups) > 1]


@dataclass(frozen=True)
class QuotedRows:
    """Rows with the same outcome: their number, and the first few of them, which the report quotes."""

    title: str
    why: str
    open: bool
    rows: int
    shown: list[JudgedRow]


def quoted_rows(contents: ReportContents) -> list[QuotedRows]:
    """Return the rows that the candidate gained or lost in each comparison, and the rows that no model got right."""
    quoted = []
    for other in MODEL_TITLES:
        if other in contents.metrics.overall.comparisons:
            name = MODEL_TITLES[other].lower()
            answered = [e for e in contents.examples if other in e.said]
            gained = [e for e in answered if e.said["candidate"].right and not e.said[other].right]
            lost = [e for e in answered if e.said[other].right and not e.said["candidate"].right]
            quoted.append(_quoted_rows(f"Lost against the {name}", f"only the {name} is right", True, lost))
            quoted.append(_quoted_rows(f"Gained over the {name}", "only the candidate is right", True, gained))
    wrong = [e for e in contents.examples if not any(said.right for said in e.said.values())]
    return [*quoted, _quoted_rows("Still wrong", "no model is right", False, wrong)]


def _quoted_rows(title: str, why: str, shown: bool, rows: Sequence[JudgedRow]) -> QuotedRows:
    return QuotedRows(title, why, shown, len(rows), sorted(rows, key=lambda row: row.record_id)[:MAX_QUOTED_ROWS])
