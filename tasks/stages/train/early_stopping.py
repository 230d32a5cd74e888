"""Schedule of validations, choice of the best weights, and early stopping.

All decisions are derived from the training curve, so a training run that is resumed makes the same decisions.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imports NumPy, for which the supervisor of a stage need not wait
    from tasks.stages.train.rows.order import RowOrder

VALIDATION_LOSS_KEY = "validation_loss"
"""Key of the validation loss in a point of the training curve. It is the mean loss per target token."""
DEFAULT_VALIDATION_COUNT = 10
"""Number of validations in a training run if `training.validate_steps` is not set."""

Curve = Sequence[dict[str, Any]]


def is_validation_due(order: "RowOrder", steps: int) -> bool:
    """Return whether the validation loss is computed after `steps` steps. It is always computed after the last step."""
    every = order.training.validate_steps or max(1, order.step_count // DEFAULT_VALIDATION_COUNT)
    return len(order.examples.validation) > 0 and (steps % every == 0 or steps == order.step_count)


def best_point(curve: Curve) -> dict[str, Any] | None:
    """Return the first point with the lowest validation loss; None before the first validation."""
    return min(
        (point for point in curve if VALIDATION_LOSS_KEY in point),
        key=lambda point: point[VALIDATION_LOSS_KEY],
        default=None,
    )


def should_stop(curve: Curve, patience: int | None) -> bool:
    """Return whether `patience` validations have followed the one with the lowest loss; False if `patience` is None."""
    lowest = best_point(curve) if patience is not None else None
    if patience is None or lowest is None:
        return False
    return sum(VALIDATION_LOSS_KEY in point for point in curve[lowest["step"] :]) >= patience
