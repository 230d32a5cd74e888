"""Schedule of validations, choice of the best weights, and early stopping.

All decisions are derived from the training curve, so a training run that resumes from a checkpoint makes the same ones.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imports NumPy, for which the supervisor of a stage need not wait
    from tasks.stages.train.rows.order import Order

VALIDATION_LOSS = "validation_loss"
"""Key of the validation loss in a point of the training curve. It is the mean loss per target token."""
DEFAULT_VALIDATIONS = 10
"""Number of validations in a training run if `training.validate_steps` is not set."""

Curve = Sequence[dict[str, Any]]


def validation_due(order: "Order", steps: int) -> bool:
    """Return whether the validation loss is computed after `steps` steps. It is always computed after the last step."""
    every = order.training.validate_steps or max(1, order.steps // DEFAULT_VALIDATIONS)
    return len(order.examples.validation) > 0 and (steps % every == 0 or steps == order.steps)


def best_point(curve: Curve) -> dict[str, Any] | None:
    """Return the point with the lowest validation loss, the first of equal ones; None before the first validation."""
    return min(
        (point for point in curve if VALIDATION_LOSS in point), key=lambda point: point[VALIDATION_LOSS], default=None
    )


def should_stop(curve: Curve, patience: int | None) -> bool:
    """Return whether the last `patience` validations have not improved on the lowest validation loss."""
    lowest = best_point(curve) if patience is not None else None
    if patience is None or lowest is None:
        return False
    return sum(VALIDATION_LOSS in point for point in curve[lowest["step"] :]) >= patience
