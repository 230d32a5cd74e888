"""LoRA layers that add their products in place.

PEFT scales the product of the LoRA matrices and adds it to the layer's output, in tensors of the layer's full width.
Autograd does the same with gradients in the backward pass. Here, the scale is applied to tensors of LoRA's rank, and
the product is added while it is computed. On one core in fp32, a linear layer with its gradients takes 10 to 20 % less
time, and a decoder layer 9 % (SmolLM2-135M, 848 tokens).
"""

from types import MethodType
from typing import Any

import torch
from torch import nn


class LoraFunction(torch.autograd.Function):
    """Autograd function for x Wᵀ + bias + scale (x Aᵀ) Bᵀ with frozen W and bias."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        """Return the output of the layer.

        Shapes: `x` [..., in], `weight` [out, in], `bias` [out], `a` [rank, in], `b` [out, rank], result [..., out].
        """
        rows = x.reshape(-1, x.shape[-1])
        low = (rows @ a.T).mul_(scale)
        ctx.save_for_backward(rows, weight, a, b, low)
        ctx.scale = scale
        return nn.functional.linear(rows, weight, bias).addmm_(low, b.T).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, weight, a, b, low = ctx.saved_tensors
        (gradient,) = gradients
        above = gradient.reshape(-1, gradient.shape[-1])
        low_above = (above @ b).mul_(ctx.scale)
        below = None
        if ctx.needs_input_grad[0]:  # not for the first layer
            below = (above @ weight).addmm_(low_above, a).view(*gradient.shape[:-1], -1)
        return below, None, None, low_above.T @ rows, above.T @ low, None


def replace_lora_forward(model: Any) -> None:
    """Replace the forward method of every plain LoRA layer (see `is_plain_lora_layer`)."""
    for layer in model.modules():
        if is_plain_lora_layer(layer):
            layer.forward = MethodType(_forward, layer)


def is_plain_lora_layer(layer: object) -> bool:
    """Return whether a LoRA layer has no bias, dropout or variant, and the same precision in all of its weights."""
    from peft.tuners.lora.layer import Linear

    if type(layer) is not Linear:
        return False
    (name,) = layer.active_adapters
    base, a, b = layer.base_layer, layer.lora_A[name], layer.lora_B[name]
    dropped = not isinstance(layer.lora_dropout[name], nn.Identity)
    more = dropped or layer.lora_variant or a.bias is not None or b.bias is not None
    return type(base) is nn.Linear and base.weight.dtype == a.weight.dtype == b.weight.dtype and not more


def _forward(layer: Any, x: torch.Tensor) -> torch.Tensor:
    (name,) = layer.active_adapters
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    base = layer.base_layer
    product: torch.Tensor = LoraFunction.apply(x, base.weight, base.bias, a, b, layer.scaling[name])
    return product
