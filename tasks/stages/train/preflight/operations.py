"""Minimum number of floating-point operations that a training needs, however it is computed.

The formula is that of Chowdhery et al., "PaLM: Scaling Language Modeling with Pathways", 2022, appendix B. A weight
takes 2 operations per token in the forward pass and 4 in the backward pass. Attention takes 12 per token and layer,
multiplied by the width of its queries and the tokens of the row, of which causal attention could leave out half.
Operations that are repeated to save memory count once.

Fewer are counted here if fewer are needed. In the backward pass a frozen weight takes the 2 for the gradient of its
input and not the 2 for its own, so an adapter needs two thirds of full fine-tuning. The output head is computed at
targets only. The input embedding is a lookup.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.core.params.training_methods.method import ADAPTER, FULL_MODEL
from tasks.stages.train.preflight.model_shape import ModelShape

FORWARD = 2
"""Operations per weight and token in the forward pass."""
BACKWARD = {FULL_MODEL: 4, ADAPTER: 2}
"""Operations per weight of the base model and token in the backward pass."""
ATTENTION = 12
"""Operations of attention in both passes, per layer, per unit of query width, and per pair of tokens."""
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Operations:
    token: int
    target: int
    """Additional operations per target token, for the output head."""
    pair: int
    """Operations of attention per pair of tokens in a row."""

    def of_rows(self, lengths: Numbers, targets: Numbers) -> int:
        pairs = int((lengths.astype(np.int64) ** 2).sum())
        return self.token * int(lengths.sum()) + self.target * int(targets.sum()) + self.pair * pairs


def of(training: Training, shape: ModelShape) -> Operations | None:
    """Return the operations of a training; None for a mixture of experts.

    In such a model not every weight works on every token, and the headers of the files do not state how many do.
    """
    if any("expert" in name for name in shape.weights):
        return None
    form = methods.get(training.method).form
    each = FORWARD + BACKWARD[form]
    adapter = shape.trained_count(training) if form is ADAPTER else 0
    linear = sum(rows * columns for rows, columns in shape.linear_weights().values())
    return Operations(
        token=each * linear + (FORWARD + BACKWARD[FULL_MODEL]) * adapter,
        target=each * shape.hidden_width * shape.vocabulary,
        pair=ATTENTION * shape.layers * shape.query_width,
    )
