"""LoRA (arXiv:2106.09685), and QLoRA (arXiv:2305.14314), which is LoRA on a base model in 4 bits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from tasks.core.params.training_methods.method import Adapter, LayerShapes, Method, module_name

if TYPE_CHECKING:
    from peft import LoraConfig

LORA_SETTINGS: Mapping[str, int | str | None] = {
    "lora_rank": None,
    "lora_alpha": None,
    "lora_dropout": 0,
    "lora_variant": "plain",
    "lora_targets": None,
}


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


def build_lora_config(training: LoraSettings) -> "LoraConfig":
    """Return the LoRA configuration for PEFT.

    It applies to the modules in `lora_targets` or, if that is null, to every linear layer except the output head.
    """
    from peft import LoraConfig

    assert training.lora_rank and training.lora_alpha  # the schema requires both for this method
    return LoraConfig(
        r=training.lora_rank,
        lora_alpha=training.lora_alpha,  # type: ignore[arg-type]  # PEFT divides it by r; a fraction is fine
        lora_dropout=training.lora_dropout,
        use_rslora=training.lora_variant == "rslora",
        use_dora=training.lora_variant == "dora",
        target_modules=sorted(training.lora_targets) if training.lora_targets else "all-linear",
        task_type="CAUSAL_LM",
    )


def count_lora_weights(training: LoraSettings, layers: LayerShapes) -> int:
    assert training.lora_rank
    chosen = [
        shape
        for name, shape in layers.items()
        if training.lora_targets is None or module_name(name) in training.lora_targets
    ]
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
