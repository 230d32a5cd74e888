"""Export of the trained weights to a folder that PEFT or transformers loads, with the same bytes every time."""

from pathlib import Path
from typing import Any

import torch
from torch import distributed

from tasks.core.errors import InputError
from tasks.core.files import read_json, write_json
from tasks.core.params import methods
from tasks.core.params.training import Training


def write(engine: Any, base: Path, training: Training, folder: Path) -> None:
    model = engine.module.model
    weights = gather(model, training)
    require_numbers(weights)
    if distributed.get_rank() == 0:
        save(model, weights, base, training, folder)
    if distributed.get_world_size() > 1:
        distributed.barrier()


def gather(model: Any, training: Training) -> dict[str, torch.Tensor]:
    """Return the trained weights by name, on the CPU of the first worker; empty on other workers.

    With ZeRO 3, each weight is first gathered from all workers.
    """
    import deepspeed

    weights = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            with deepspeed.zero.GatheredParameters(weight, enabled=training.zero_stage == 3):
                if distributed.get_rank() == 0:
                    weights[name] = weight.detach().cpu().clone()
    return weights


def require_numbers(weights: dict[str, torch.Tensor]) -> None:
    """Verify that all trained weights are finite.

    No loss is computed after the last step, so this check is the first to notice weights that became infinite in that
    step.

    Raises:
        InputError: A weight is not finite.
    """
    if wrong := [name for name, weight in weights.items() if not torch.isfinite(weight).all()]:
        raise InputError(
            f"{len(wrong)} trained weights hold values that are no numbers, {wrong[0]} among them; lower "
            "training.learning_rate or training.weight_decay, and train anew"
        )


def save(model: Any, weights: dict[str, torch.Tensor], base: Path, training: Training, folder: Path) -> None:
    from transformers import AutoTokenizer

    if methods.get(training.method).adapter:
        model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
        make_adapter_reproducible(folder)
    else:
        model.save_pretrained(folder, state_dict=weights)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


def make_adapter_reproducible(folder: Path) -> None:
    """Remove the parts of an adapter folder that differ between equal training runs.

    These are the order of set elements, the path of the base model, and the model card that PEFT generates.
    """
    path = folder / "adapter_config.json"
    config = read_json(path)
    config["base_model_name_or_path"] = None
    for name in ("target_modules", "feedforward_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(name), list):
            config[name] = sorted(config[name])
    write_json(path, config)
    (folder / "README.md").unlink(missing_ok=True)
