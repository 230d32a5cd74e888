"""Minimum number of floating-point operations that a training run needs, independent of the implementation.

The formula is that of Chowdhery et al., "PaLM: Scaling Language Modeling with Pathways", 2022, appendix B. A weight
takes 2 operations per token in the forward pass and 4 in the backward pass. Attention takes 12 operations per layer and
token, multiplied by the width of the queries and the number of tokens in the row. An implementation of causal attention
can omit half of these. Operations that are repeated to save memory count once.

The formula is adapted where fewer operations suffice. In the backward pass, a frozen weight takes 2 operations for the
gradient of its input and none for its own gradient, so an adapter needs two thirds of the operations of full
fine-tuning. The backward pass ends at the first layer with trained weights. The output head is computed at
targets only. The input embedding is a lookup and takes no operations.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.core.params.training_methods.method import ADAPTER, FULL_MODEL
from tasks.stages.train.preflight.model_shape import ModelShape

FORWARD_OPERATIONS = 2
"""Operations per weight and token in the forward pass."""
BACKWARD_OPERATIONS = {FULL_MODEL: 4, ADAPTER: 2}
"""Operations per weight of the base model and token in the backward pass, by kind of the trained weights."""
ATTENTION_OPERATIONS = 12
"""Floating-point operations of attention per layer, query dimension and pair of tokens: 4 in the forward pass and 8 in
the backward pass."""
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OperationCounts:
    per_token: int
    per_target: int
    """Additional operations for each target token, for the output head."""
    per_token_pair: int
    """Operations of attention for each pair of tokens in a row."""

    def count_for_rows(self, lengths: Numbers, targets: Numbers) -> int:
        pairs = int((lengths.astype(np.int64) ** 2).sum())
        return self.per_token * int(lengths.sum()) + self.per_target * int(targets.sum()) + self.per_token_pair * pairs


def count_operations(training: Training, shape: ModelShape) -> OperationCounts | None:
    """Return the number of operations that a training run needs; None for a mixture of experts.

    In a mixture of experts, each token uses only some of the weights. The headers of the weight files do not state
    which fraction.
    """
    if any("expert" in name for name in shape.weight_shapes):
        return None
    form = methods.get_method(training.method).result_form
    each, backward = FORWARD_OPERATIONS + BACKWARD_OPERATIONS[form], shape.backward_share(training)
    adapter = shape.trained_weight_count(training) if form is ADAPTER else 0
    linear = sum(rows * columns for rows, columns in shape.linear_weight_shapes().values())
    return OperationCounts(
        per_token=round((FORWARD_OPERATIONS + BACKWARD_OPERATIONS[form] * backward) * linear)
        + (FORWARD_OPERATIONS + BACKWARD_OPERATIONS[FULL_MODEL]) * adapter,
        per_target=each * shape.hidden_width * shape.vocabulary,
        per_token_pair=round(ATTENTION_OPERATIONS * (1 + 2 * backward) / 3 * shape.layers * shape.query_width),
    )
