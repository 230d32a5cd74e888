"""Builders of DeepSpeed, Ray and torch objects from parameters. No other module creates these objects."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.stages.cluster.worker_spec import WorkerSpec

if TYPE_CHECKING:
    import torch
    from ray.train import RunConfig, ScalingConfig
    from transformers import BitsAndBytesConfig


def quantization_config(training: Training) -> "BitsAndBytesConfig | None":
    """Return the settings for loading a base model in 4 bits; None if the training method does not quantise it."""
    if not methods.get_method(training.method).is_quantised:
        return None
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if training.precision == "bf16" else torch.float32,
    )


def deepspeed_config(training: Training, loads_universal: bool = False) -> dict[str, Any]:
    """Return DeepSpeed's settings, without the optimizer.

    The batch sizes in the settings have no effect: a step has as many forward passes as its rows need, and the training
    loop ends the step.

    Args:
        training: Parameters of the training run.
        loads_universal: Whether a checkpoint that another number of workers wrote will be loaded.
    """
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "managed_gradient_accumulation": False,
        "gradient_clipping": training.max_grad_norm,
        "bf16": {"enabled": training.precision == "bf16"},
        # Sum the gradients of several passes in fp32. Without ZeRO, DeepSpeed has no such sum.
        **({"data_types": {"grad_accum_dtype": "fp32"}} if training.zero_stage else {}),
        "zero_optimization": _zero_config(training),
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,  # DeepSpeed's own is compiled on first use, for minutes
        "steps_per_print": 1_000_000_000,
        **({"checkpoint": {"load_universal": True}} if loads_universal else {}),
    }


ZERO_BUCKET_ELEMENTS = 50_000_000
"""Size of ZeRO's communication buffers, in elements. DeepSpeed's default of 500 million takes 2 GB in fp32."""


def _zero_config(training: Training) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": training.zero_stage}
    if training.zero_stage:
        zero["reduce_bucket_size"] = zero["allgather_bucket_size"] = ZERO_BUCKET_ELEMENTS
    if training.zero_stage == 3:
        zero["stage3_prefetch_bucket_size"] = ZERO_BUCKET_ELEMENTS
    if training.offload != "none":
        place = {"device": training.offload}
        zero |= {"offload_optimizer": place, **({"offload_param": place} if training.zero_stage == 3 else {})}
    return zero


def attention_implementation(training: Training) -> str | None:
    """Return transformers' name of the attention; None if `TargetLoss` selects it by the length of the rows."""
    from transformers.utils.import_utils import is_flash_attn_2_available

    if training.attention == "auto" and training.device == "cpu":
        return None
    flash = training.attention == "flash" or (
        training.attention == "auto" and training.precision == "bf16" and is_flash_attn_2_available()
    )
    return "flash_attention_2" if flash else {"auto": "sdpa"}.get(training.attention, training.attention)


def build_optimizer(training: Training, weights: "list[torch.nn.Parameter]") -> "torch.optim.Optimizer":
    """Return torch's fused AdamW. Its initial learning rate is 0, and the training loop sets the rate at every step.

    DeepSpeed's own AdamW would have to be compiled on first use, and torch's default implementation is half as fast.
    """
    import torch

    return torch.optim.AdamW(weights, lr=0.0, weight_decay=training.weight_decay, fused=True)


def learning_rate(training: Training, step: int, step_count: int) -> float:
    """Return the learning rate of a step, counted from 0.

    The learning rate rises linearly during warm-up and then follows the schedule, but never reaches 0.
    """
    warmup = math.ceil(training.warmup_share * step_count)
    if step < warmup:
        return training.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, step_count - warmup)
    left = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}
    return training.learning_rate * left[training.schedule]


def build_worker_spec(training: Training) -> WorkerSpec:
    own = {"DS_ACCELERATOR": "cuda" if training.device == "gpu" else "cpu"}
    return WorkerSpec("training", training.workers, training.threads, training.device == "gpu", own)


def build_scaling_config(training: Training, workers: int, excluded_machines: Sequence[str] = ()) -> "ScalingConfig":
    from ray.train import ScalingConfig

    return ScalingConfig(  # type: ignore[call-arg]  # typed as that of the first Ray Train
        num_workers=workers,
        use_gpu=training.device == "gpu",
        resources_per_worker=build_worker_spec(training).resources,
        label_selector=build_label_selector(excluded_machines),
    )


def build_label_selector(excluded_machines: Sequence[str]) -> dict[str, str]:
    """Return a Ray label selector that excludes machines by their ids."""
    return {"ray.io/node-id": f"!in({','.join(excluded_machines)})"} if excluded_machines else {}


def build_run_config(folder: Path) -> "RunConfig":
    """Return Ray's settings for a training run. Ray writes its files to `folder`.

    Ray's own retries are disabled, because `recovery/attempts.py` decides which failures lead to another attempt.
    """
    from ray.train import FailureConfig, RunConfig

    never = FailureConfig(  # type: ignore[call-arg]  # typed as that of the first Ray Train
        max_failures=0, controller_failure_limit=0, max_preemption_failures=0
    )
    return RunConfig(name="train", storage_path=str(folder), failure_config=never)


LONG_STEP_FACTOR = 4
"""Factor by which the time limit of a step is multiplied for the first step, validations and checkpoints."""
EXTRA_COMPILE_SECONDS = 600
"""Seconds added to the time limit of a step if kernels are compiled. Kernels are compiled in the first step, and again
for each new shape of rows."""


def step_limit_seconds(training: Training) -> int:
    return training.hang_seconds + (EXTRA_COMPILE_SECONDS if training.kernels == "compiled" else 0)


def worker_timeout_seconds(training: Training) -> float:
    return step_limit_seconds(training) * LONG_STEP_FACTOR
