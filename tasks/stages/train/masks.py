"""The mask of packed rows, made once for all layers.

transformers gives PyTorch's attention a mask of yes and no, which that turns into numbers in every layer, and each of
these is kept for the way back: for 32,768 tokens in bf16, 2 GB a layer.
"""

from typing import Any

import torch

NAME = "sdpa"


def share() -> None:
    """From now on, in this process. Under its own name, since transformers asks in many places for that."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

    made = ALL_MASK_ATTENTION_FUNCTIONS[NAME]
    if not isinstance(made, InNumbers):
        AttentionMaskInterface.register(NAME, InNumbers(made))


class InNumbers:
    """A maker of masks: 0 where a token is seen, else minus infinity, as PyTorch itself makes it."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def __call__(self, *args: Any, dtype: torch.dtype = torch.float32, **options: Any) -> torch.Tensor | None:
        """[sequences, 1, tokens, tokens] of `dtype`; None where each token sees all before it."""
        seen: torch.Tensor | None = self.made(*args, dtype=dtype, **options)
        if seen is None or seen.dtype != torch.bool:
            return seen
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, float("-inf"))
