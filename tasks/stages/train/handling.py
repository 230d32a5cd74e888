"""How each training method prepares a model and writes its weights: `tasks.core.params.methods` has the rest."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.files import write_json
from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.stages.train import builders, lora_products

Weights = Mapping[str, Any]
"""The trained weights by name: torch tensors on the CPU."""


@dataclass(frozen=True)
class Handling:
    prepare: Callable[[Any, Training], Any]
    """The base model as it is trained: what is to be trained requires gradients, nothing else does."""
    write: Callable[[Any, Weights, Path], None]
    """Write what is trained of a model into a folder, the same bytes every time."""


def of(method: str) -> Handling:
    """Raises Refused for a method that this version does not know."""
    methods.of(method)
    return HANDLING[method]


def _adapted(model: Any, training: Training) -> Any:
    from peft import get_peft_model

    adapted = get_peft_model(model, builders.lora_config(training), autocast_adapter_dtype=False)
    if training.zero_stage != 3:  # which gathers a layer's weights as the layer itself is called
        lora_products.use(adapted)
    return adapted


def _write_adapter(model: Any, weights: Weights, folder: Path) -> None:
    model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
    tidy_adapter(folder)


def tidy_adapter(folder: Path) -> None:
    """Take out what differs between two runs of the same: the order of sets, the base model's path; and the card."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
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


HANDLING: Mapping[str, Handling] = {
    "lora": Handling(_adapted, _write_adapter),
    "qlora": Handling(_adapted, _write_adapter),
    "full": Handling(_whole, _write_whole),
}
