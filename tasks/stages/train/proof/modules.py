"""What is trained is what the parameters say, and nothing else."""

import difflib
from typing import Any

from tasks.core.errors import InputError, Refused
from tasks.core.params import methods
from tasks.core.params.training import Training


def require_targets(model: Any, training: Training) -> None:
    """Raises InputError where the base model has no such module. PEFT says nothing as long as it finds one of them."""
    require_among(linear(model), training)


def require_among(names: set[str], training: Training) -> None:
    """Raises InputError where a target is none of the names."""
    missing = [wanted for wanted in training.lora_targets or () if wanted not in names]
    if missing:
        near = sorted({like for wanted in missing for like in difflib.get_close_matches(wanted, names, 3)})
        hint = f"; like it are {', '.join(near)}" if near else f"; it has {', '.join(sorted(names))}"
        raise InputError(f"training.lora_targets: the base model has no linear layer {', '.join(missing)}{hint}")


def linear(model: Any) -> set[str]:
    """Names of the modules that could be trained by LoRA."""
    from torch import nn

    return {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}


def require_trained(model: Any, training: Training) -> None:
    """Raises Refused where other weights would learn than those of the method."""
    adapter = methods.of(training.method).form is methods.ADAPTER
    wrong = [
        name
        for name, weight in model.named_parameters()
        if weight.requires_grad != (not adapter or "lora_" in name)
    ]  # fmt: skip
    if wrong:
        raise Refused(
            f"method {training.method} trains {'its adapter alone' if adapter else 'every weight'}, but here "
            f"{len(wrong)} weights are not as it wants them, {wrong[0]} among them; use the versions of "
            "constraints.txt, and report it"
        )
