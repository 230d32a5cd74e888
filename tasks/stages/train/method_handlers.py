"""Preparation of a model and export of its weights, for each training method.

All other properties of the methods are in `tasks.core.params.methods`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.files import read_json, write_json
from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.stages.train import builders, lora_products

Weights = Mapping[str, Any]
"""Trained weights by name, as torch tensors on the CPU."""


@dataclass(frozen=True)
class MethodHandler:
    prepare: Callable[[Any, Training], Any]
    """Function that returns the model to train, in which exactly the trained weights require gradients."""
    write: Callable[[Any, Weights, Path], None]
    """Function that writes the trained weights of a model into a folder, with the same bytes every time."""


def handler_of(method: str) -> MethodHandler:
    """Return how a training method prepares and writes a model.

    Raises:
        Refused: This version has no such method.
    """
    methods.get(method)
    return HANDLERS[method]


def _adapted(model: Any, training: Training) -> Any:
    from peft import get_peft_model

    adapted = get_peft_model(model, builders.lora_config(training), autocast_adapter_dtype=False)
    if training.zero_stage != 3:  # which gathers a layer's weights only when PEFT's layer is called
        lora_products.replace_forward(adapted)
    return adapted


def _write_adapter(model: Any, weights: Weights, folder: Path) -> None:
    model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
    make_adapter_reproducible(folder)


def make_adapter_reproducible(folder: Path) -> None:
    """Remove what differs between equal trainings: the order of sets and the base model's path.

    The model card, which PEFT generates, is deleted as well.
    """
    path = folder / "adapter_config.json"
    config = read_json(path)
    config["base_model_name_or_path"] = None
    for name in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(name), list):
            config[name] = sorted(config[name])
    write_json(path, config)
    (folder / "README.md").unlink(missing_ok=True)


def _whole(model: Any, _: Training) -> Any:
    return model


def _write_whole(model: Any, weights: Weights, folder: Path) -> None:
    model.save_pretrained(folder, state_dict=weights)


HANDLERS: Mapping[str, MethodHandler] = {
    "lora": MethodHandler(_adapted, _write_adapter),
    "qlora": MethodHandler(_adapted, _write_adapter),
    "full": MethodHandler(_whole, _write_whole),
}
