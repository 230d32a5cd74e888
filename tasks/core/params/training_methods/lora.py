"""LoRA (arXiv:2106.09685), and QLoRA (arXiv:2305.14314), which is LoRA on a base model in 4 bits."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from tasks.core.errors import InputError
from tasks.core.params.training_methods.method import Adapter, LayerShapes, Method, module_name

if TYPE_CHECKING:
    from peft import LoraConfig

LORA_SETTINGS: Mapping[str, int | str | None] = {
    "lora_rank": None,
    "lora_alpha": None,
    "lora_dropout": 0,
    "lora_variant": "plain",
    "lora_targets": None,
    "lora_layers": None,
}
LAYER_NUMBER = re.compile(r"\.([0-9]+)\.")
"""Number of a layer in the name of its weights, counted from the input: `model.layers.3.self_attn.q_proj.weight`."""


class LoraSettings(Protocol):
    @property
    def lora_rank(self) -> int | None: ...
    @property
    def lora_alpha(self) -> float | None: ...
    @property
    def lora_dropout(self) -> float: ...
    @property
    def lora_variant(self) -> str: ...
    @property
    def lora_targets(self) -> Sequence[str] | None: ...
    @property
    def lora_layers(self) -> int | None: ...


def build_lora_config(training: LoraSettings, linear: LayerShapes) -> "LoraConfig":
    """Return the LoRA configuration for PEFT.

    It applies to the modules in `lora_targets` or, if that is null, to every linear layer except the output head; in
    both cases only in the last `lora_layers` layers of the model.

    Args:
        training: Section `training` of params.yaml.
        linear: Linear layers of the base model without its output head.

    Raises:
        InputError: The model has fewer layers than `lora_layers`.
    """
    from peft import LoraConfig

    assert training.lora_rank and training.lora_alpha  # the schema requires both for this method
    targets: list[str] | str = sorted(training.lora_targets) if training.lora_targets else "all-linear"
    numbers = None
    if training.lora_layers:  # PEFT takes numbers of layers only with names of modules
        chosen = choose_layers(training, linear)
        targets = sorted({module_name(name) for name in chosen})
        numbers = sorted({layer_number(name) for name in chosen})
    return LoraConfig(
        r=training.lora_rank,
        lora_alpha=training.lora_alpha,  # type: ignore[arg-type]  # PEFT divides it by r; a fraction is fine
        lora_dropout=training.lora_dropout,
        use_rslora=training.lora_variant == "rslora",
        use_dora=training.lora_variant == "dora",
        target_modules=targets,
        layers_to_transform=numbers,
        task_type="CAUSAL_LM",
    )


def choose_layers(training: LoraSettings, linear: LayerShapes) -> LayerShapes:
    """Return the linear layers that get LoRA matrices.

    Raises:
        InputError: The model has fewer layers than `lora_layers`, or no module of `lora_targets` is in them.
    """
    count = 1 + max(map(layer_number, linear), default=-1)
    if training.lora_layers and training.lora_layers > count:
        raise InputError(f"training.lora_layers: the base model has {count} layers, not {training.lora_layers}")
    first = count - training.lora_layers if training.lora_layers else -1
    chosen = {
        name: shape
        for name, shape in linear.items()
        if layer_number(name) >= first and (training.lora_targets is None or module_name(name) in training.lora_targets)
    }
    if training.lora_layers and not chosen:
        raise InputError(f"training.lora_layers: the last {training.lora_layers} layers have no module of lora_targets")
    return chosen


def layer_number(name: str) -> int:
    """Return the number of the layer that a weight belongs to, counted from 0 at the input; -1 if it has none."""
    found = LAYER_NUMBER.search(name)
    return int(found.group(1)) if found else -1


def count_lora_weights(training: LoraSettings, linear: LayerShapes) -> int:
    assert training.lora_rank
    chosen = choose_layers(training, linear).values()
    lengths = sum(shape[0] for shape in chosen) if training.lora_variant == "dora" else 0
    return training.lora_rank * sum(map(sum, chosen)) + lengths


LORA = Method(
    summary="an adapter",
    trained_part="a LoRA adapter of",
    # Matrices B begin as 0, so matrices A have no gradient in the first step.
    adapter=Adapter(
        build_lora_config, count_lora_weights, weight_name_part="lora_", zero_gradient_weight_names="lora_A"
    ),
    approaches=("lora",),
    own_settings=LORA_SETTINGS,
    required_settings=("lora_rank", "lora_alpha"),
)
QLORA = replace(
    LORA,
    summary="an adapter on a base model loaded with 4 bits per weight",
    trained_part="a LoRA adapter, over weights in 4 bits, of",
    is_quantised=True,
)
