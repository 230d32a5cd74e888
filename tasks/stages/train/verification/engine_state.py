"""Summary of an engine's state in a few numbers.

The summary is computed before a checkpoint is written and after it is loaded. Both have to be equal.
"""

import math
from typing import Any

import torch

from tasks.core.errors import InputError, Refused
from tasks.core.params import methods
from tasks.core.params.training import Training

NORM_TOLERANCE = 1e-3
"""Maximum relative change of a norm between writing the state to files and loading it on other workers."""
ADAM_BETA1 = 0.9
"""Adam's first beta. After the first step, the running mean of the gradient is (1 - 0.9) times the gradient."""


def trained_weights(engine: Any) -> dict[str, Any]:
    return {name: weight for name, weight in engine.module.model.named_parameters() if weight.requires_grad}


def choose_probe_weight(engine: Any, training: Training) -> tuple[str, Any]:
    """Return the name and the tensor of the smallest weight that has a gradient from the first step on."""
    weights, adapter = trained_weights(engine), methods.get_method(training.method).adapter

    def order(name: str) -> tuple[bool, int]:
        idle = adapter is not None and adapter.has_zero_gradient_at_start(name)
        return idle, int(getattr(weights[name], "ds_numel", weights[name].numel()))

    name = min(weights, key=order)
    return name, weights[name]


def first_moment(engine: Any, weight: Any) -> torch.Tensor | None:
    """Return Adam's running mean of a weight's gradient as a flat tensor; None if the optimizer has none.

    The running mean is gathered from all workers. This function must not be called before the first step, because a
    worker without a part of the weight would wait for the others.
    """
    from deepspeed.utils import safe_get_full_optimizer_state

    moment = safe_get_full_optimizer_state(weight, "exp_avg")
    if moment is None:  # without ZeRO, torch's optimizer has it, in bf16 for the fp32 copy
        moment = engine.basic_optimizer.state.get(_optimizer_weight(engine, weight), {}).get("exp_avg")
    return None if moment is None else moment.detach().float().reshape(-1).clone()


def _optimizer_weight(engine: Any, weight: Any) -> Any:
    lows, highs = (getattr(engine.optimizer, name, []) for name in ("fp16_groups", "fp32_groups"))
    pairs = (pair for groups in zip(lows, highs, strict=False) for pair in zip(*groups, strict=True))
    copies = {id(low): high for low, high in pairs}
    return copies.get(id(weight), weight)


def summarise_state(engine: Any, training: Training) -> dict[str, Any]:
    """Return the name of one weight, the norm of this weight, and the norm of Adam's running mean of its gradient.

    Every worker has to call this function.

    Raises:
        InputError: A norm is not finite.
    """
    from deepspeed.utils import safe_get_full_fp32_param

    name, weight = choose_probe_weight(engine, training)
    full = safe_get_full_fp32_param(weight)
    full = _optimizer_weight(engine, weight) if full is None else full
    moment = first_moment(engine, weight)
    norms = float(full.detach().float().norm()), 0.0 if moment is None else float(moment.norm())
    if not all(map(math.isfinite, norms)):
        raise InputError(
            f"the weight {name} or the mean of its gradient is no number, or too large for one; lower "
            "training.learning_rate or training.weight_decay, and train anew"
        )
    return {"name": name, "weight": norms[0], "moment": norms[1]}


def require_same_state(engine: Any, training: Training, expected: dict[str, Any]) -> None:
    """Verify that the engine has the same state as when the checkpoint was written.

    Args:
        engine: DeepSpeed engine with the model.
        training: Parameters of the training run.
        expected: Summary that was stored in the checkpoint.

    Raises:
        Refused: The state differs.
    """
    try:
        now = summarise_state(engine, training)
    except ValueError as error:  # raised by ZeRO 1 and 2 if they have no state
        raise Refused(f"the checkpoint was loaded without the optimizer's state ({error}); remove it") from None
    for part in ("weight", "moment"):
        if now["name"] != expected["name"] or abs(now[part] - expected[part]) > NORM_TOLERANCE * abs(expected[part]):
            raise Refused(
                f"the checkpoint was not loaded as it was written: the {part} of {expected['name']} had a norm of "
                f"{expected[part]:.6g}, and has {now[part]:.6g}; use the versions of constraints.txt, or remove it"
            )


def complete_optimizer_state(engine: Any, completed_steps: int) -> None:
    """Complete the optimizer's state after a checkpoint was loaded.

    ZeRO's weights are linked to the loaded state, which DeepSpeed itself would do only in the next step. Each weight
    gets its own step counter for Adam. A universal checkpoint has a single counter, which ZeRO 3 would increment more
    than once per step.

    Args:
        engine: DeepSpeed engine with the model.
        completed_steps: Number of completed steps.
    """
    if link := getattr(engine.optimizer, "_lazy_init_hp_params_optimizer_state", None):
        link()
    for weight, state in engine.basic_optimizer.state.items():
        if "step" in state:
            state["step"] = torch.tensor(float(completed_steps), device=weight.device)
