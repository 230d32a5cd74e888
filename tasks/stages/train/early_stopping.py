"""Times of validation, choice of the best weights, and early stopping.

All of it is derived from the curve, so that a training resumed from a checkpoint decides the same.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imports NumPy, for which the supervisor of a stage need not wait
    from tasks.stages.train.rows.order import Order

VALIDATION_LOSS = "validation_loss"
"""Key of the validation loss, the mean per target token, in a point of the curve."""
DEFAULT_VALIDATIONS = 10
"""Number of validations in a training if `training.validate_steps` is not set."""

Curve = Sequence[dict[str, Any]]


def validation_due(order: "Order", steps: int) -> bool:
    """Return whether the validation loss is computed after `steps` steps; it always is after the last step."""
    every = order.training.validate_steps or max(1, order.steps // DEFAULT_VALIDATIONS)
    return len(order.examples.validation) > 0 and (steps % every == 0 or steps == order.steps)


def best_point(curve: Curve) -> dict[str, Any] | None:
    """Return the point with the lowest validation loss, the first of equal ones; None before the first validation."""
    return min(
        (point for point in curve if VALIDATION_LOSS in point), key=lambda point: point[VALIDATION_LOSS], default=None
    )


def should_stop(curve: Curve, patience: int | None) -> bool:
    """Return whether the last `patience` validations found no lower loss than an earlier one."""
    lowest = best_point(curve) if patience is not None else None
    if patience is None or lowest is None:
        return False
    return sum(VALIDATION_LOSS in point for point in curve[lowest["step"] :]) >= patience
