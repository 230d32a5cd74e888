"""Common prefix of the rows in a forward pass, computed once for all of them.

In each layer, attention stores the keys and values of the prefix, and all rows use them. Gradients of all rows flow
back through them. The caches of transformers serve the same purpose in inference, but they identify a layer by its
number, so torch would compile each layer separately.
"""

import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch

PrefixPhase = Literal["prefix", "rows"]
"""Part of the rows that a call of the model processes: first the common prefix, then the rest."""
SUPPORTED_MODEL_TYPES = frozenset({"granite", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"})
"""Model types (`model_type` in transformers) that support a shared prefix. Each of their layers calls attention once
and uses the mask of the whole model. Layers of other models compute their own masks or call attention twice."""
PREFIX_ATTRIBUTES = ("prefix_key", "prefix_value")


def supports_prefix(model: Any) -> bool:
    """Return whether the model's type is in MODELS and its attention lets each token see all earlier tokens."""
    config = model.config
    kinds = getattr(config, "layer_types", None) or []
    bounded = getattr(config, "sliding_window", None) or any(kind != "full_attention" for kind in kinds)
    return config.model_type in SUPPORTED_MODEL_TYPES and not bounded


@cache
def register_prefix_attention(implementation: str) -> str:
    """Register an attention that supports a shared prefix, and return its name in transformers.

    Args:
        implementation: Attention to extend, "eager" or "sdpa".
    """
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
    from transformers.modeling_utils import AttentionInterface

    name = f"{implementation}-with-prefix"
    AttentionInterface.register(name, PrefixAttention(implementation))
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[implementation])
    return name


def remove_prefix(model: Any) -> None:
    """Remove the keys and values of the prefix after a forward pass.

    They belong to an autograd graph, and a model with such tensors cannot be copied.
    """
    for module in model.modules():
        for name in PREFIX_ATTRIBUTES:
            vars(module).pop(name, None)


@dataclass(frozen=True)
class PrefixAttention:
    """Attention of transformers that supports a shared prefix. Without the argument `over`, no prefix is used."""

    implementation: str

    def __call__(
        self,
        layer: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        *,
        over: PrefixPhase | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the output of the attention.

        Shapes: `query`, `key` and `value` [sequences, heads, length, width], result [sequences, length, heads, width].
        """
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
    length, whole = query.shape[2], key.shape[2]
    if mask is None:
        return torch.ones(1, 1, length, whole, dtype=torch.bool, device=query.device).tril(whole - length)
    seen = mask.new_ones(()) if mask.dtype == torch.bool else mask.new_zeros(())
    return torch.cat([seen.expand(*mask.shape[:-1], whole - length), mask], dim=-1)
