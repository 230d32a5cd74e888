"""Export of the trained weights to a folder that PEFT or transformers can load. Equal weights give equal bytes."""

from pathlib import Path
from typing import Any

import torch
from torch import distributed

from tasks.core.errors import InputError
from tasks.core.files import read_json, write_json
from tasks.core.params import methods
from tasks.core.params.training import Training


def write_weights(engine: Any, base: Path, training: Training, folder: Path) -> None:
    model = engine.module.model
    weights = gather_weights(model, training)
    require_finite_weights(weights)
    if distributed.get_rank() == 0:
        save_model_folder(model, weights, base, training, folder)
    if distributed.get_world_size() > 1:
        distributed.barrier()


def gather_weights(model: Any, training: Training) -> dict[str, torch.Tensor]:
    """Return the trained weights by name, as tensors on the CPU. The result is empty on all workers except the first.

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


def require_finite_weights(weights: dict[str, torch.Tensor]) -> None:
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


def save_model_folder(
    model: Any, weights: dict[str, torch.Tensor], base: Path, training: Training, folder: Path
) -> None:
    from transformers import AutoTokenizer

    if methods.get_method(training.method).adapter:
        model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
        make_adapter_reproducible(folder)
    else:
        model.save_pretrained(folder, state_dict=weights)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


def make_adapter_reproducible(folder: Path) -> None:
    """Make the adapter folders of identical training runs byte-identical.

    PEFT writes sets in varying order; here they are sorted. PEFT also writes the path of the base model and a model
    card; both are removed.
    """
    path = folder / "adapter_config.json"
    config = read_json(path)
    config["base_model_name_or_path"] = None
    for name in ("target_modules", "feedforward_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(name), list):
            config[name] = sorted(config[name])
    write_json(path, config)
    (folder / "README.md").unlink(missing_ok=True)
