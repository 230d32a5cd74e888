"""Tokens per second of one worker, and the source of this value."""

from dataclasses import dataclass

from tasks.core.machine import processor, resource_limits
from tasks.core.params import methods
from tasks.core.params.resources import Resources
from tasks.core.params.training import Training
from tasks.stages.cluster import connection
from tasks.stages.train.preflight import device_peak, machine_capacity, operations
from tasks.stages.train.preflight.model_shape import ModelShape

ASSUMED_GPU_PEAK_SHARE, ASSUMED_GPU = 0.35, "NVIDIA H100 80GB HBM3"
"""Fraction of a GPU's peak performance that training is assumed to reach, and the GPU that is assumed if none is
known."""
THREAD_FLOPS = {"bf16": 2.0e11, "fp32": 8.0e10}
"""Operations per second of a CPU thread in training, by precision. The value for bf16 requires a processor with bf16
instructions. On two cores, the values correspond to 810 tokens per second of SmolLM2-135M with LoRA in bf16, and to 277
to 377 in fp32 (docs/decisions/training.md)."""
THREAD_FLOPS_WITHOUT_BF16 = 8e8
"""Operations per second of a CPU thread in bf16, if the processor has no bf16 instructions."""


@dataclass(frozen=True)
class WorkerSpeed:
    tokens_per_second: float
    source: str


@dataclass(frozen=True)
class MeasuredSpeed:
    tokens_per_second: float
    """Tokens per second of all workers of the measured training run together."""
    run_id: str
    training: Training


@dataclass(frozen=True)
class CalibratedSpeed:
    """Speed that was measured for this estimate with a few training steps (`train/calibrate.py`)."""

    tokens_per_second: float
    """Tokens per second of one worker."""
    steps: int
    seconds: float
    rows_description: str


def estimate_speed(
    training: Training,
    shape: ModelShape,
    resources: Resources,
    measured: MeasuredSpeed | None,
    calibrated: CalibratedSpeed | None = None,
) -> WorkerSpeed:
    """Return the speed of one worker, and its source.

    The first available source is used: the calibration, the parameters, an earlier training run, or an assumption.
    """
    if calibrated:
        alone = ", one worker alone" if training.workers > 1 else ""
        how = f"{calibrated.steps} steps in {calibrated.seconds:.0f} s{alone}, on {calibrated.rows_description}"
        return WorkerSpeed(calibrated.tokens_per_second, f"calibrated on this machine: {how}")
    if resources.tokens_per_second:
        return WorkerSpeed(resources.tokens_per_second, "resources.tokens_per_second of the parameters")
    if measured and measured.tokens_per_second and _has_same_speed_parameters(measured.training, training):
        return WorkerSpeed(
            measured.tokens_per_second / measured.training.workers, f"measured here, in run {measured.run_id}"
        )
    each, device = (
        _gpu_flops(training, machine_capacity.is_trained_here(resources))
        if training.device == "gpu"
        else (_thread_flops(training) * _concurrent_threads(training), "")
    )
    forward = operations.FORWARD_OPERATIONS * (2 if training.gradient_checkpointing else 1)
    needed = (
        forward
        + operations.BACKWARD_OPERATIONS[methods.get_method(training.method).result_form]
        * shape.backward_share(training)
    ) * shape.parameter_count
    what = f"{each / 1e12:.3g} TFLOPS a worker{device}, {needed / 1e9:.2g} GFLOP a token"
    return WorkerSpeed(each / needed, f"assumed ({what}); --calibrate measures it on this machine")


def _gpu_flops(training: Training, is_this_machine: bool) -> tuple[float, str]:
    import torch

    names = [torch.cuda.get_device_name()] if is_this_machine and torch.cuda.device_count() else []
    name = next(name for name in (*names, ASSUMED_GPU) if device_peak.gpu_peak(name, training.precision).operations)
    return ASSUMED_GPU_PEAK_SHARE * device_peak.PEAK_TERAFLOPS[name][
        training.precision
    ] * device_peak.TERA, f" ({ASSUMED_GPU_PEAK_SHARE:.0%} of the peak of {name})"


def _concurrent_threads(training: Training) -> float:
    return (
        training.threads
        if connection.cluster_address()
        else min(training.threads, resource_limits.cores() / training.workers)
    )


def _thread_flops(training: Training) -> float:
    slow = training.precision == "bf16" and not processor.has_bf16()
    return THREAD_FLOPS_WITHOUT_BF16 if slow else THREAD_FLOPS[training.precision]


SPEED_PARAMETERS = (
    "method", "device", "precision", "threads", "gradient_checkpointing", "uses_packed_layout", "zero_stage", "offload",
    "attention", "sequence_parallel", "kernels", "lora_layers",
)  # fmt: skip
"""Parameters that have to be equal for the speed of one training run to be valid for another. The base model has to be
equal too."""


def _has_same_speed_parameters(one: Training, other: Training) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in SPEED_PARAMETERS)
