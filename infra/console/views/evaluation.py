"""Evaluation of a run: each metric of each model with its interval, and comparisons of models."""

from infra.console.site import RequestState
from infra.console.views import evidence_files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError
from tasks.core.files import read_stage_bytes
from tasks.core.layout import Layout
from tasks.stages.evaluate.metrics_schema import Comparison, Metrics
from tasks.stages.evaluate.model_names import MODEL_TITLES, ModelName
from tasks.stages.evaluate.uncertainty import Interval


class MetricFigure(FrozenModel):
    title: str
    about: str
    unit: str
    """Unit of the metric as printed; empty for a fraction from 0 to 1."""
    models: dict[str, Interval]
    """Value and interval of the metric for each evaluated model, keyed by the model's title."""


class ModelComparison(FrozenModel):
    """Comparison of the candidate with another model, on the test records that both models answered."""

    other: str
    said: Comparison


class Evaluation(FrozenModel):
    rows: int
    confidence: float
    models: list[str]
    figures: list[MetricFigure]
    against: list[ModelComparison]


def read_evaluation(here: RequestState, layout: Layout) -> Evaluation | None:
    """Return the evaluation of a run, or None if it has not been evaluated.

    Raises:
        Refused: The metrics differ from those in the gate's evidence, or cannot be read.
    """
    path = layout.artefacts("evaluate") / "metrics.json"
    if not path.is_file():
        return None
    evidence_files.compare_with_evidence(here, layout, "evaluation", path)
    with evidence_files.refuse_unreadable_files(layout.root.name):
        return _evaluation(Metrics.model_validate_json(read_stage_bytes(path)))


def _evaluation(said: Metrics) -> Evaluation:
    whole = said.overall
    models: list[ModelName] = [which for which in MODEL_TITLES if which in whole.scores]
    return Evaluation(
        rows=whole.rows,
        confidence=said.confidence,
        models=[MODEL_TITLES[which] for which in models],
        figures=[
            MetricFigure(
                title=metric.title,
                about=metric.about,
                unit=metric.unit,
                models={MODEL_TITLES[which]: whole.scores[which][metric.name] for which in models},
            )
            for metric in said.metrics
        ],
        against=[ModelComparison(other=MODEL_TITLES[which], said=it) for which, it in whole.comparisons.items()],
    )


def read_evaluation_or_reason(here: RequestState, layout: Layout) -> tuple[Evaluation | None, str]:
    """Return the evaluation of a run, or None and the reason why it cannot be shown."""
    try:
        return read_evaluation(here, layout), ""
    except HallmarkError as error:
        return None, str(error)
