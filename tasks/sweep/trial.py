"""Execution of one trial of a sweep, which can be stopped early because of its validation losses."""

import shutil
from collections.abc import Callable
from typing import Any

from tasks.core import facts, progress
from tasks.core.documents.config import FrozenModel
from tasks.core.files import read_stage_json
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.scratch import stage_execution, workspace
from tasks.stages.train import early_stopping, log_follower, train
from tasks.stages.train.rows import examples
from tasks.stages.train.rows.order import RowOrder

ProgressCallback = Callable[[str], None]
ValidationLossCallback = Callable[[float], bool]
"""Callback that receives each validation loss. If it returns True, the trial is stopped."""


class TrialOutcome(FrozenModel):
    points: list[dict[str, Any]]
    stopped: bool
    """Whether the trial was stopped early because other trials had a lower loss."""
    seconds: float | None
    tokens_per_second: float | None

    @property
    def validation_losses(self) -> list[float]:
        return validation_losses_of(self.points)

    @property
    def best_point(self) -> dict[str, Any]:
        """Point of the training curve with the lowest validation loss."""
        lowest = early_stopping.best_point(self.points)
        assert lowest, "every training looks at least once"
        return lowest


class _TrainingStopped(Exception):
    pass


def run_training(
    layout: Layout,
    params: Params,
    needs_sandbox: bool,
    on_progress: ProgressCallback,
    on_validation_loss: ValidationLossCallback,
) -> TrialOutcome:
    """Execute stage `train` in a worktree that has a base model and tokenised rows.

    Args:
        layout: Worktree of the trial.
        params: Parameters of the trial.
        needs_sandbox: Whether the stage must run in a sandbox.
        on_progress: Function that is called with the stage's progress as text.
        on_validation_loss: Function that is called with each validation loss. If it returns True before the last step,
            training is stopped.

    Raises:
        HallmarkError: The stage failed.
    """
    workspace.write_params(layout, params)
    for path in layout.output_folders("train", has_measurements=True):
        shutil.rmtree(path, ignore_errors=True)
    wanted = train.Params(training=params.training, prompts=params.prompts)
    checkpoints = layout.cache_folder("checkpoints", "train") / train.inputs_digest(wanted, layout)
    steps = RowOrder(examples.map_examples(layout.artefacts("tokenise")), params.training).step_count
    told, points = 0, list[log_follower.Point]()

    def handle_line(line: str) -> None:
        nonlocal told, points
        if reported := progress.parse_progress_line(line):
            on_progress(reported.text)
        points = _read_log(checkpoints) or points  # a training that has ended deletes its record
        for loss in validation_losses_of(points)[told:]:
            told += 1
            if on_validation_loss(loss) and len(points) < steps:
                raise _TrainingStopped

    try:
        stage_execution.execute_stage(layout, "train", needs_sandbox, handle_line)
    except _TrainingStopped:
        points = [{name: point[name] for name in train.CURVE_KEYS if name in point} for point in points]
        shutil.rmtree(checkpoints, ignore_errors=True)
        return TrialOutcome(points=points, stopped=True, seconds=None, tokens_per_second=None)
    measured = facts.read_facts(layout.measurements("train") / "facts.json")
    outcome = TrialOutcome(
        points=read_stage_json(layout.artefacts("train") / "curve.json"),
        stopped=False,
        seconds=measured["seconds"].value,
        tokens_per_second=measured["tokens_per_second"].value,
    )
    for loss in outcome.validation_losses[told:]:
        on_validation_loss(loss)
    return outcome


def _read_log(checkpoints: Any) -> list[log_follower.Point]:
    return log_follower.read_log(checkpoints / "scratch" / "record.jsonl")


def validation_losses_of(points: list[log_follower.Point]) -> list[float]:
    return [
        point[early_stopping.VALIDATION_LOSS_KEY] for point in points if early_stopping.VALIDATION_LOSS_KEY in point
    ]
