"""What all rows of a pass begin with, computed once for all of them.

In each layer attention keeps the keys and values of that beginning, and every row looks back on them. Gradients of all
rows flow back through them. transformers' caches do the same for serving; they know a layer by its number, and so would
have each layer compiled for itself.
"""

import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch

Call = Literal["prefix", "rows"]
"""What a call of the model is over: first what the rows begin with, then what is left of them."""
MODELS = frozenset({"granite", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"})
"""The `model_type` of those whose layers have one attention each, over what is handed to it and with the mask of the
whole model. Others compute their masks in a layer, or look twice."""
KEPT = ("prefix_key", "prefix_value")
"""The attributes of a layer's attention that hold what is kept."""


def can_be_shared(model: Any) -> bool:
    """Whether every token of it sees all before it, by an attention that can be told of a prefix."""
    config = model.config
    kinds = getattr(config, "layer_types", None) or []
    bounded = getattr(config, "sliding_window", None) or any(kind != "full_attention" for kind in kinds)
    return config.model_type in MODELS and not bounded


@cache
def attention(implementation: str) -> str:
    """What transformers calls its attention `implementation` where there is a prefix: "eager" or "sdpa"."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
    from transformers.modeling_utils import AttentionInterface

    name = f"{implementation}-with-prefix"
    AttentionInterface.register(name, WithPrefix(implementation))
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[implementation])
    return name


def forget(model: Any) -> None:
    """After a pass. What is kept has a way back, and a model with such tensors cannot be copied."""
    for module in model.modules():
        for name in KEPT:
            vars(module).pop(name, None)


@dataclass(frozen=True)
class WithPrefix:
    """An attention of transformers, in two calls; the same as ever in a call that says nothing of a prefix."""

    implementation: str

    def __call__(
        self,
        layer: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        *,
        over: Call | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """`query`, `key`, `value`: [sequences, heads, length, width]; gives [sequences, length, heads, width]."""
        if over == "prefix":
            layer.prefix_key, layer.prefix_value = key, value
        elif over == "rows":
            key = torch.cat([layer.prefix_key.expand(len(key), -1, -1, -1), key], dim=2)
            value = torch.cat([layer.prefix_value.expand(len(value), -1, -1, -1), value], dim=2)
            attention_mask = _widened(attention_mask, query, key)
        made: tuple[torch.Tensor, torch.Tensor | None] = self._core(layer)(
            layer, query, key, value, attention_mask, **options
        )
        return made

    def _core(self, layer: Any) -> Any:
        from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

        if self.implementation == "eager":  # each model has its own
            return sys.modules[type(layer).__module__].eager_attention_forward
        return ALL_ATTENTION_FUNCTIONS[self.implementation]


def _widened(mask: torch.Tensor | None, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """A mask of rows, None where each token sees all before it, with the prefix, which all of them see."""
    length, whole = query.shape[2], key.shape[2]
    if mask is None:
        return torch.ones(1, 1, length, whole, dtype=torch.bool, device=query.device).tril(whole - length)
    seen = mask.new_ones(()) if mask.dtype == torch.bool else mask.new_zeros(())
    return torch.cat([seen.expand(*mask.shape[:-1], whole - length), mask], dim=-1)
