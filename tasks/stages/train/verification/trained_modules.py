"""Verification that training changes exactly the weights that the parameters name."""

import difflib
from typing import Any

from tasks.core.errors import InputError, Refused
from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.core.params.training_methods.method import LayerShapes, module_name


def require_lora_targets(model: Any, training: Training) -> None:
    """Verify that the base model has the modules that `training.lora_targets` names.

    PEFT raises no error as long as it finds one of them.

    Raises:
        InputError: The base model lacks a module.
    """
    require_module_names(linear_module_names(model), training)


def require_module_names(names: set[str], training: Training) -> None:
    missing = [wanted for wanted in training.lora_targets or () if wanted not in names]
    if missing:
        near = sorted({like for wanted in missing for like in difflib.get_close_matches(wanted, names, 3)})
        hint = f"; like it are {', '.join(near)}" if near else f"; it has {', '.join(sorted(names))}"
        raise InputError(f"training.lora_targets: the base model has no linear layer {', '.join(missing)}{hint}")


def linear_module_names(model: Any) -> set[str]:
    return {module_name(name) for name in linear_layer_shapes(model)}


def linear_layer_shapes(model: Any) -> LayerShapes:
    from torch import nn

    head = model.get_output_embeddings()
    return {
        f"{name}.weight": tuple(module.weight.shape)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    }


def require_trained_weights(model: Any, training: Training) -> None:
    """Verify that the weights with gradients are those of the training method.

    Raises:
        Refused: A weight that should be frozen is trained, or the reverse.
    """
    adapter = methods.get_method(training.method).adapter
    wrong = [
        name
        for name, weight in model.named_parameters()
        if weight.requires_grad != (adapter is None or adapter.weight_name_part in name)
    ]  # fmt: skip
    if wrong:
        raise Refused(
            f"method {training.method} trains {'its adapter alone' if adapter else 'every weight'}, but here "
            f"{len(wrong)} weights are not as it wants them, {wrong[0]} among them; use the versions of "
            "constraints.txt, and report it"
        )
