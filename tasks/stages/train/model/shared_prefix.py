"""Common prefix of the rows in a forward pass, computed once for all of them.

In each layer, attention keeps the keys and values of the prefix, and every row attends to them. Gradients of all rows
flow back through them. The caches of transformers do the same for inference, but they find a layer by its number, which
would make torch compile each layer separately.
"""

import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch

Phase = Literal["prefix", "rows"]
"""Tokens that a call of the model computes: first the common prefix, then the rest of the rows."""
MODELS = frozenset({"granite", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"})
"""`model_type` of the models that support it: each layer has one attention, over the tensors it is called with and the
mask of the whole model. Other models make masks inside a layer or attend twice."""
PREFIX_ATTRIBUTES = ("prefix_key", "prefix_value")
"""Attributes of a layer's attention module that hold the keys and values of the prefix."""


def supports_prefix(model: Any) -> bool:
    """Return whether the model's attention supports a prefix and lets each token see all before it."""
    config = model.config
    kinds = getattr(config, "layer_types", None) or []
    bounded = getattr(config, "sliding_window", None) or any(kind != "full_attention" for kind in kinds)
    return config.model_type in MODELS and not bounded


@cache
def register_attention(implementation: str) -> str:
    """Return transformers' name for an attention with support for a prefix.

    `implementation` is "eager" or "sdpa".
    """
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
    from transformers.modeling_utils import AttentionInterface

    name = f"{implementation}-with-prefix"
    AttentionInterface.register(name, PrefixAttention(implementation))
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[implementation])
    return name


def remove_prefix(model: Any) -> None:
    """Remove the keys and values of the prefix after a forward pass.

    They are part of an autograd graph, and a model that holds such tensors cannot be copied.
    """
    for module in model.modules():
        for name in PREFIX_ATTRIBUTES:
            vars(module).pop(name, None)


@dataclass(frozen=True)
class PrefixAttention:
    """Attention of transformers with support for a prefix; a call without `over` computes plain attention."""

    implementation: str

    def __call__(
        self,
        layer: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        *,
        over: Phase | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return [sequences, length, heads, width]; query, key and value are [sequences, heads, length, width]."""
        if over == "prefix":
            layer.prefix_key, layer.prefix_value = key, value
        elif over == "rows":
            key = torch.cat([layer.prefix_key.expand(len(key), -1, -1, -1), key], dim=2)
            value = torch.cat([layer.prefix_value.expand(len(value), -1, -1, -1), value], dim=2)
            attention_mask = _extend_mask(attention_mask, query, key)
        made: tuple[torch.Tensor, torch.Tensor | None] = self._core(layer)(
            layer, query, key, value, attention_mask, **options
        )
        return made

    def _core(self, layer: Any) -> Any:
        from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

        if self.implementation == "eager":  # each model defines its own
            return sys.modules[type(layer).__module__].eager_attention_forward
        return ALL_ATTENTION_FUNCTIONS[self.implementation]


def _extend_mask(mask: torch.Tensor | None, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Extend the mask of rows, None if causal, by the prefix, which every token of a row sees."""
    length, whole = query.shape[2], key.shape[2]
    if mask is None:
        return torch.ones(1, 1, length, whole, dtype=torch.bool, device=query.device).tril(whole - length)
    seen = mask.new_ones(()) if mask.dtype == torch.bool else mask.new_zeros(())
    return torch.cat([seen.expand(*mask.shape[:-1], whole - length), mask], dim=-1)
