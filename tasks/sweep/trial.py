"""One training of a sweep, which is watched and can be stopped."""

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
from tasks.stages.train.rows.order import Order

OnProgress = Callable[[str], None]
OnValidationLoss = Callable[[float], bool]
"""Callback that receives each validation loss. If it returns True, the training is stopped."""


class TrialOutcome(FrozenModel):
    points: list[dict[str, Any]]
    stopped: bool
    """Whether the trial was stopped early, because other trials had a lower loss by then."""
    seconds: float | None
    tokens_per_second: float | None

    @property
    def validation_losses(self) -> list[float]:
        return losses_of(self.points)

    @property
    def best(self) -> dict[str, Any]:
        """Point with the lowest validation loss."""
        lowest = early_stopping.best_point(self.points)
        assert lowest, "every training looks at least once"
        return lowest


class _Stopped(Exception):
    pass


def run_training(
    layout: Layout, params: Params, boxed: bool, working: OnProgress, looked: OnValidationLoss
) -> TrialOutcome:
    """Execute stage `train` in a worktree that has a base model and tokenised rows.

    If `looked` returns True, the training is stopped, unless it has already done its last step. Errors of the stage are
    raised.
    """
    workspace.write_params(layout, params)
    for path in layout.output_folders("train", measures=True):
        shutil.rmtree(path, ignore_errors=True)
    wanted = train.Params(training=params.training, prompts=params.prompts)
    checkpoints = layout.cache_folder("checkpoints", "train") / train.inputs_digest(wanted, layout)
    steps = Order(examples.read(layout.artefacts("tokenise")), params.training).steps
    told, points = 0, list[log_follower.Point]()

    def say(line: str) -> None:
        nonlocal told, points
        if reported := progress.parse(line):
            working(reported.text)
        points = _record(checkpoints) or points  # a training that has ended deletes its record
        for loss in losses_of(points)[told:]:
            told += 1
            if looked(loss) and len(points) < steps:
                raise _Stopped

    try:
        stage_execution.execute_stage(layout, "train", boxed, say)
    except _Stopped:
        points = [{name: point[name] for name in train.CURVE_KEYS if name in point} for point in points]
        shutil.rmtree(checkpoints, ignore_errors=True)
        return TrialOutcome(points=points, stopped=True, seconds=None, tokens_per_second=None)
    measured = facts.read(layout.measurements("train") / "facts.json")
    outcome = TrialOutcome(
        points=read_stage_json(layout.artefacts("train") / "curve.json"),
        stopped=False,
        seconds=measured["seconds"].value,
        tokens_per_second=measured["tokens_per_second"].value,
    )
    for loss in outcome.validation_losses[told:]:
        looked(loss)
    return outcome


def _record(kept: Any) -> list[log_follower.Point]:
    return log_follower.read_log(kept / "scratch" / "record.jsonl")


def losses_of(points: list[log_follower.Point]) -> list[float]:
    return [point[early_stopping.VALIDATION_LOSS] for point in points if early_stopping.VALIDATION_LOSS in point]
