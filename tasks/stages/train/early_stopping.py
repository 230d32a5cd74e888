"""When the validation rows are looked at, which look was the best, and when there is nothing more to hope for.

All of it is told from the curve, so that a training which goes on from a checkpoint decides alike.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # NumPy, which the supervisor of a stage need not wait for
    from tasks.stages.train.rows.order import Order

LOSS = "validation_loss"
"""Of a point of the curve where the rows were looked at: mean over their target tokens."""
LOOKS = 10
"""In all, where the parameters do not say."""

Curve = Sequence[dict[str, Any]]


def due(order: "Order", steps: int) -> bool:
    """Whether the validation rows are looked at after so many steps. After the last one too."""
    every = order.training.validate_steps or max(1, order.steps // LOOKS)
    return len(order.examples.validation) > 0 and (steps % every == 0 or steps == order.steps)


def best(curve: Curve) -> dict[str, Any] | None:
    """The point of the lowest loss, of equal ones the first; None before the first look."""
    return min((point for point in curve if LOSS in point), key=lambda point: point[LOSS], default=None)


def over(curve: Curve, patience: int | None) -> bool:
    """Whether the last `patience` looks were all no better than one before."""
    lowest = best(curve) if patience is not None else None
    if patience is None or lowest is None:
        return False
    return sum(LOSS in point for point in curve[lowest["step"] :]) >= patience
