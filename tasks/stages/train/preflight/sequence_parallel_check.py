"""Check whether several workers can share a forward pass of the base model (model/sequence_parallel.py)."""

import math

from tasks.core.errors import InputError
from tasks.core.params.training import Training
from tasks.stages.train.preflight.model_shape import ModelShape

ATTENTION_LAYERS = ("full_attention", "sliding_attention", "chunked_attention")
"""Kinds of layers in which a token depends on other tokens through attention only."""
LENGTH_DEPENDENT_POSITIONS = ("dynamic", "longrope", "su")
"""Kinds of rotary positions that depend on the length of the longest row. They are not supported, because a worker has
only a part of each row."""


def require_sequence_parallel_support(training: Training, shape: ModelShape) -> None:
    """Verify that the base model supports the value of `training.sequence_parallel`.

    Raises:
        InputError: The base model does not support it.
    """
    together = training.sequence_parallel
    if together == 1:
        return
    for heads, what in ((shape.heads, "attention heads"), (shape.key_value_heads, "heads of keys and values")):
        if heads % together:
            common = math.gcd(shape.heads, shape.key_value_heads)
            possible = ", ".join(str(it) for it in range(1, common + 1) if common % it == 0)
            raise InputError(
                f"training.sequence_parallel {together} does not divide the {heads} {what} of the base model; set it "
                f"to one of {possible}"
            )
    foreign = sorted(
        shape.layer_kinds.difference(ATTENTION_LAYERS) | shape.position_kinds.intersection(LENGTH_DEPENDENT_POSITIONS)
    )
    if foreign:
        raise InputError(
            f"training.sequence_parallel {together} parts rows, and the base model has {', '.join(foreign)}, which "
            "needs them whole; set it to 1"
        )
