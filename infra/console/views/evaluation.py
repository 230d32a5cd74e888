"""What came out of a run's evaluation: each figure of each model with its interval, and what was gained and lost."""

from infra.console.site import Here
from infra.console.views import looked_at
from tasks.core.config import Frozen
from tasks.core.errors import HallmarkError
from tasks.core.layout import Layout
from tasks.stages.evaluate.contenders import TITLES, Which
from tasks.stages.evaluate.document import Comparison, Metrics
from tasks.stages.evaluate.intervals import Interval


class Figure(Frozen):
    """One metric on the held-out rows."""

    title: str
    about: str
    unit: str
    """As printed; empty for a share from 0 to 1."""
    models: dict[str, Interval]
    """By the model's title; those that answered."""


class Against(Frozen):
    """The candidate against another model, on the rows that both answered."""

    other: str
    said: Comparison


class Evaluation(Frozen):
    rows: int
    """Held-out rows."""
    confidence: float
    """Coverage of every interval."""
    models: list[str]
    figures: list[Figure]
    against: list[Against]


def read(here: Here, layout: Layout) -> Evaluation | None:
    """None before it was evaluated.

    Raises Refused where the figures are not those that the gate looked at, or none.
    """
    path = layout.stage("evaluate") / "metrics.json"
    if not path.is_file():
        return None
    looked_at.require(here, layout, "evaluation", path)
    with looked_at.written_by(layout.root.name):
        return _shown(Metrics.model_validate_json(path.read_bytes()))


def _shown(said: Metrics) -> Evaluation:
    whole = said.overall
    models: list[Which] = [which for which in TITLES if which in whole.scores]
    return Evaluation(
        rows=whole.rows,
        confidence=said.confidence,
        models=[TITLES[which] for which in models],
        figures=[
            Figure(
                title=metric.title,
                about=metric.about,
                unit=metric.unit,
                models={TITLES[which]: whole.scores[which][metric.name] for which in models},
            )
            for metric in said.metrics
        ],
        against=[Against(other=TITLES[which], said=it) for which, it in whole.comparisons.items()],
    )


def read_or_why(here: Here, layout: Layout) -> tuple[Evaluation | None, str]:
    """The same, or why it is not shown."""
    try:
        return read(here, layout), ""
    except HallmarkError as error:
        return None, str(error)
