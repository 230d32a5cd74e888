"""Attention mask of packed rows, computed once for all layers.

transformers gives PyTorch's attention a boolean mask. PyTorch would convert this mask to numbers in every layer and
keep each copy for the backward pass. For 32,768 tokens in bf16, each copy takes 2 GB.
"""

from typing import Any

import torch

ATTENTION_NAME = "sdpa"


def share_mask_among_layers() -> None:
    """Share one attention mask among all layers of the models in this process.

    The mask function that transformers has registered as `sdpa` is replaced. It is not registered under a new name,
    because transformers compares names with `sdpa` in many places.
    """
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

    made = ALL_MASK_ATTENTION_FUNCTIONS[ATTENTION_NAME]
    if not isinstance(made, NumericMask):
        AttentionMaskInterface.register(ATTENTION_NAME, NumericMask(made))


class NumericMask:
    """Mask function that returns numbers: 0 for a visible token, minus infinity for a hidden one."""

    def __init__(self, mask_function: Any) -> None:
        self.mask_function = mask_function

    def __call__(self, *args: Any, dtype: torch.dtype = torch.float32, **options: Any) -> torch.Tensor | None:
        """Return the mask in `dtype`; None if each token sees all earlier tokens.

        Shape [sequences, 1, tokens, tokens].
        """
        seen: torch.Tensor | None = self.mask_function(*args, dtype=dtype, **options)
        if seen is None or seen.dtype != torch.bool:
            return seen
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, float("-inf"))
