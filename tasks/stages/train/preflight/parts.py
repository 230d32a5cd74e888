"""Check of whether several workers can share a forward pass of the base model (sequence.py)."""

import math

from tasks.core.errors import InputError
from tasks.core.params.training import Training
from tasks.stages.train.preflight.shape import Shape

ATTENTION = ("full_attention", "sliding_attention", "chunked_attention")
"""Kinds of layers in which a token depends on other tokens by attention alone."""
BY_LENGTH = ("dynamic", "longrope", "su")
"""Kinds of rotary positions that depend on the longest row, of which a worker has only a part."""


def require(training: Training, shape: Shape) -> None:
    """Raise InputError if the base model does not support the value of `training.sequence_parallel`."""
    together = training.sequence_parallel
    if together == 1:
        return
    for heads, what in ((shape.heads, "attention heads"), (shape.keys, "heads of keys and values")):
        if heads % together:
            common = math.gcd(shape.heads, shape.keys)
            possible = ", ".join(str(it) for it in range(1, common + 1) if common % it == 0)
            raise InputError(
                f"training.sequence_parallel {together} does not divide the {heads} {what} of the base model; set it "
                f"to one of {possible}"
            )
    foreign = sorted(shape.kinds.difference(ATTENTION) | shape.positions.intersection(BY_LENGTH))
    if foreign:
        raise InputError(
            f"training.sequence_parallel {together} parts rows, and the base model has {', '.join(foreign)}, which "
            "needs them whole; set it to 1"
        )
