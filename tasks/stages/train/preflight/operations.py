"""Floating-point operations that a training needs at least, whatever way it is computed.

The formula is that of Chowdhery et al., "PaLM: Scaling Language Modeling with Pathways", 2022, appendix B: a weight
takes 2 operations a token forward and 4 back, and attention takes 12 a layer, each for the width of its queries and the
tokens of its row, of which causal attention could leave out half. Operations that are made twice to save memory count
once.

Here it counts less where less is needed. On the way back a frozen weight takes the 2 for the gradient of its input, and
not the 2 for its own, so LoRA needs two thirds of full fine-tuning. The output head works on targets alone. The input
embedding is looked up.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.stages.train.preflight.shape import Shape

FORWARD = 2
"""Operations a weight and token of the way forward."""
BACK = {methods.WHOLE: 4, methods.ADAPTER: 2}
"""The same of the way back, of the base model's weights."""
ATTENTION = 12
"""The same of both ways, of attention."""
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Operations:
    """What rows take."""

    token: int
    """Operations of a token."""
    target: int
    """Those of a target token besides: the output head."""
    pair: int
    """Those of a token for each token of its row: attention."""

    def of(self, lengths: Numbers, targets: Numbers) -> int:
        """`lengths`, `targets`: [rows] tokens of each."""
        pairs = int((lengths.astype(np.int64) ** 2).sum())
        return self.token * int(lengths.sum()) + self.target * int(targets.sum()) + self.pair * pairs


def of(training: Training, shape: Shape) -> Operations | None:
    """None where not every weight works on every token, as with a mixture of experts: the headers do not say on how
    many."""
    if any("expert" in name for name in shape.weights):
        return None
    form = methods.of(training.method).form
    each = FORWARD + BACK[form]
    adapter = shape.trained(training) if form is methods.ADAPTER else 0
    linear = sum(rows * columns for rows, columns in shape.linear().values())
    return Operations(
        token=each * linear + (FORWARD + BACK[methods.WHOLE]) * adapter,
        target=each * shape.hidden * shape.vocabulary,
        pair=ATTENTION * shape.layers * shape.queries,
    )
