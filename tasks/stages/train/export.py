"""The trained weights as a folder that PEFT or transformers loads, the same bytes every time."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from tasks.core.files import write_json
from tasks.core.params.training import Training


def write(engine: Any, base: Path, training: Training, folder: Path) -> None:
    """Gather the trained weights from all workers and write them on the first."""
    model = engine.module.model
    weights = gather(model, training)
    if distributed.get_rank() == 0:
        save(model, weights, base, training, folder)
    if distributed.get_world_size() > 1:
        distributed.barrier()


def gather(model: Any, training: Training) -> dict[str, torch.Tensor]:
    """The trained weights by name, on the CPU; under ZeRO 3 each is put together from its parts in turn."""
    import deepspeed

    weights = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            with deepspeed.zero.GatheredParameters(weight, enabled=training.zero_stage == 3):
                weights[name] = weight.detach().cpu().clone()
    return weights


def save(model: Any, weights: dict[str, torch.Tensor], base: Path, training: Training, folder: Path) -> None:
    from transformers import AutoTokenizer

    if training.method == "lora":
        model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
        tidy_adapter(folder)
    else:
        model.save_pretrained(folder, state_dict=weights)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


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
