"""A layer with LoRA gives what PEFT's gives, and the same gradients, where it is computed otherwise."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from tasks.core.params.training_methods import lora
from tasks.stages.train.model import engine, lora_products
from tests.stages.train.conftest import training

MakeLayers = Callable[..., list[Any]]


def linear_class() -> Any:
    from peft.tuners.lora.layer import Linear  # takes two CPU seconds, which each pytest worker would pay

    return Linear


@pytest.fixture
def layers() -> MakeLayers:
    def make(**changes: Any) -> list[Any]:
        from peft import get_peft_model

        torch.manual_seed(3)
        config = LlamaConfig(
            vocab_size=50, hidden_size=24, intermediate_size=40, num_hidden_layers=1, num_attention_heads=4,
            num_key_value_heads=2, attention_bias=True,
        )  # fmt: skip
        model = get_peft_model(LlamaForCausalLM(config), lora.build_lora_config(training(lora_alpha=7, **changes), {}))
        lora_products.replace_lora_forward(model.double().train())
        return [layer for layer in model.modules() if isinstance(layer, linear_class())]

    return make


def gradients(forward: Callable[[torch.Tensor], torch.Tensor], layer: Any) -> list[torch.Tensor]:
    """The product, then the gradients of what goes in and of both matrices."""
    torch.manual_seed(5)
    x = torch.randn(3, 5, layer.in_features, dtype=torch.float64, requires_grad=True)
    product = forward(x)
    product.backward(torch.randn(product.shape, dtype=product.dtype))
    weights = [layer.lora_A["default"].weight, layer.lora_B["default"].weight]
    found = [product.detach(), x.grad, *(weight.grad for weight in weights)]
    for weight in weights:
        weight.grad = None
    return found


def test_products_and_gradients_are_those_of_peft(layers: MakeLayers) -> None:
    made = layers()
    assert len(made) == 7 and {layer.base_layer.bias is None for layer in made} == {True, False}
    for layer in made:
        nn.init.normal_(layer.lora_B["default"].weight)
        if layer.base_layer.bias is not None:
            nn.init.normal_(layer.base_layer.bias)
        ours = gradients(layer, layer)
        theirs = gradients(lambda x, layer=layer: linear_class().forward(layer, x), layer)
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("changes", [{"lora_dropout": 0.1}, {"lora_variant": "dora"}], ids=str)
def test_where_there_is_more_to_it_peft_computes(layers: MakeLayers, changes: dict[str, Any]) -> None:
    assert not [layer for layer in layers(**changes) if "forward" in vars(layer)]
    assert all("forward" in vars(layer) for layer in layers(lora_variant="rslora"))


@pytest.mark.parametrize(("stage", "ours"), [(2, True), (3, False)])
def test_zero_3_has_pefts_layers(stage: int, ours: bool) -> None:
    """It gathers weights as a layer is called."""
    config = LlamaConfig(
        vocab_size=50, hidden_size=24, intermediate_size=40, num_hidden_layers=1, num_attention_heads=4
    )
    model = engine.add_adapter(LlamaForCausalLM(config), training(zero_stage=stage))
    layers = [layer for layer in model.modules() if isinstance(layer, linear_class())]
    assert layers and {"forward" in vars(layer) for layer in layers} == {ours}
