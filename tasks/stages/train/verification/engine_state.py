"""Summary of an engine's state in a few numbers, which have to be equal before and after a checkpoint.

The summary is computed before a checkpoint is written and after it is loaded.
"""

import math
from typing import Any

import torch

from tasks.core.errors import InputError, Refused
from tasks.core.params import methods
from tasks.core.params.training import Training

TOLERANCE = 1e-3
"""Maximum relative change of a norm when the state is written to files and loaded by other workers."""
ADAM_BETA1 = 0.9
"""Adam's first beta. After the first step, the running mean of the gradient is (1 - 0.9) times the gradient."""


def trained_weights(engine: Any) -> dict[str, Any]:
    return {name: weight for name, weight in engine.module.model.named_parameters() if weight.requires_grad}


def probe_weight(engine: Any, training: Training) -> tuple[str, Any]:
    """Return the name and the tensor of the smallest weight that has a gradient from the first step on."""
    weights, adapter = trained_weights(engine), methods.get(training.method).adapter

    def order(name: str) -> tuple[bool, int]:
        idle = adapter is not None and adapter.starts_idle(name)
        return idle, int(getattr(weights[name], "ds_numel", weights[name].numel()))

    name = min(weights, key=order)
    return name, weights[name]


def first_moment(engine: Any, weight: Any) -> torch.Tensor | None:
    """Return Adam's running mean of a weight's gradient as a flat tensor; None if the optimizer has none.

    The running mean is gathered from all workers. Before the first step this function must not be called, because a
    worker without a part of the weight would wait for the others.
    """
    from deepspeed.utils import safe_get_full_optimizer_state

    moment = safe_get_full_optimizer_state(weight, "exp_avg")
    if moment is None:  # without ZeRO, torch's optimizer has it, in bf16 for the fp32 copy
        moment = engine.basic_optimizer.state.get(_copy(engine, weight), {}).get("exp_avg")
    return None if moment is None else moment.detach().float().reshape(-1).clone()


def _copy(engine: Any, weight: Any) -> Any:
    lows, highs = (getattr(engine.optimizer, name, []) for name in ("fp16_groups", "fp32_groups"))
    pairs = (pair for groups in zip(lows, highs, strict=False) for pair in zip(*groups, strict=True))
    copies = {id(low): high for low, high in pairs}
    return copies.get(id(weight), weight)


def summary(engine: Any, training: Training) -> dict[str, Any]:
    """Return the name of one weight and the norms of the weight and of its running mean.

    Every worker has to call this function.

    Raises:
        InputError: A norm is not finite.
    """
    from deepspeed.utils import safe_get_full_fp32_param

    name, weight = probe_weight(engine, training)
    full = safe_get_full_fp32_param(weight)
    full = _copy(engine, weight) if full is None else full
    moment = first_moment(engine, weight)
    norms = float(full.detach().float().norm()), 0.0 if moment is None else float(moment.norm())
    if not all(map(math.isfinite, norms)):
        raise InputError(
            f"the weight {name} or the mean of its gradient is no number, or too large for one; lower "
            "training.learning_rate or training.weight_decay, and train anew"
        )
    return {"name": name, "weight": norms[0], "moment": norms[1]}


def require_same(engine: Any, training: Training, told: dict[str, Any]) -> None:
    """Verify that the engine has the same state as when the checkpoint was written.

    Args:
        engine: DeepSpeed engine with the model.
        training: Parameters of the training run.
        told: Summary that was stored in the checkpoint.

    Raises:
        Refused: The state differs.
    """
    try:
        now = summary(engine, training)
    except ValueError as error:  # raised by ZeRO 1 and 2 if they have no state
        raise Refused(f"the checkpoint was loaded without the optimizer's state ({error}); remove it") from None
    for part in ("weight", "moment"):
        if now["name"] != told["name"] or abs(now[part] - told[part]) > TOLERANCE * abs(told[part]):
            raise Refused(
                f"the checkpoint was not loaded as it was written: the {part} of {told['name']} had a norm of "
                f"{told[part]:.6g}, and has {now[part]:.6g}; use the versions of constraints.txt, or remove it"
            )


def complete_optimizer_state(engine: Any, taken: int) -> None:
    """Complete the optimizer's state after a checkpoint was loaded.

    ZeRO's weights are linked to the loaded state, which DeepSpeed otherwise does in a step. Each weight gets its own
    step counter for Adam. A universal checkpoint has a single counter, which ZeRO 3 would increment more than once per
    step.

    Args:
        engine: DeepSpeed engine with the model.
        taken: Number of completed steps.
    """
    if link := getattr(engine.optimizer, "_lazy_init_hp_params_optimizer_state", None):
        link()
    for weight, state in engine.basic_optimizer.state.items():
        if "step" in state:
            state["step"] = torch.tensor(float(taken), device=weight.device)
