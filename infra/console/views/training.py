"""Loss curve of a training run, from the file whose digest is in the signed stage record."""

from pathlib import Path

from infra.console.site import RequestState
from infra.console.views import evidence_files
from tasks.core.documents.config import FrozenModel
from tasks.core.files import sha256_file
from tasks.core.layout import Layout
from tasks.gates import record_chain
from tasks.runs.reporting import training_curve
from tasks.runs.run import governance_of_run
from tasks.stages.evaluate.report import charts
from tasks.stages.evaluate.report.stage_results import TrainingStep

CURVE_PATH = "artefacts/train/curve.json"
MAX_CURVE_BYTES = 8 << 20
"""Maximum size of a curve file in bytes, enough for about 100,000 steps. There is a limit because the run's own code
writes the file."""
MAX_POINTS = 1_000
"""Maximum number of steps in the chart. A longer curve is sampled at regular intervals and at each validation."""


class Training(FrozenModel):
    steps: int
    first: float
    """Loss per target token at the first step."""
    last: float
    """Loss per target token at the last step."""
    low: float
    """Minimum of the loss's running mean."""
    loss: str
    """Loss by step, as points of an SVG polyline in a box of 1,000 × 300."""
    smooth: str
    """Running mean of the loss over neighbouring steps, as points of an SVG polyline in the same box."""
    validation: str
    """Loss on the validation records, as points of an SVG polyline in the same box; empty without validation."""
    best_step: int | None
    """Step with the lowest validation loss; null without validation. The training keeps the weights of this step."""
    best: float | None
    """Validation loss at `best_step`; null without validation."""
    top: str
    """Loss at the upper edge of the box, as text. The lower edge is 0."""


def read_training(here: RequestState, layout: Layout) -> Training | None:
    """Return the loss curve of a run.

    The result is None if the run has no curve yet, if the curve has fewer than two steps, or if its digest differs from
    the signed one.

    Raises:
        Refused: The curve cannot be read.
    """
    path = layout.root / CURVE_PATH
    if not path.is_file() or path.stat().st_size > MAX_CURVE_BYTES:
        return None
    record = record_chain.records_of_run(here.ledger, governance_of_run(here.root, layout), layout.root.name).get(
        "train"
    )
    if record is None or record.outputs.get(CURVE_PATH) != sha256_file(path):
        return None
    return _read_training(path, layout.root.name)


def _read_training(path: Path, run: str) -> Training | None:
    with evidence_files.refuse_unreadable_files(run):
        points = training_curve.read_curve(path)
        return _draw_training(
            [TrainingStep(point.step, point.loss, point.lr, point.validation_loss) for point in points]
        )


def _draw_training(points: list[TrainingStep]) -> Training | None:
    every = len(points) // MAX_POINTS + 1
    some = [point for place, point in enumerate(points) if place % every == 0 or point.validation is not None]
    curve = charts.loss_curve(some)
    if curve is None:
        return None
    return Training(
        steps=points[-1].step,
        first=points[0].loss,
        last=points[-1].loss,
        low=min(charts.running_mean([point.loss for point in some])),
        loss=curve.loss,
        smooth=curve.smooth,
        validation=curve.validation,
        best_step=curve.best.step if curve.best else None,
        best=curve.best.loss if curve.best else None,
        top=curve.y[-1].text,
    )
