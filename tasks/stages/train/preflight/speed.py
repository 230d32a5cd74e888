"""Tokens a second of one worker, and where that figure comes from."""

from dataclasses import dataclass

from tasks.core import processor, usable
from tasks.core.params import methods
from tasks.core.params.resources import Resources
from tasks.core.params.training import Training
from tasks.stages.cluster import connection
from tasks.stages.train import devices
from tasks.stages.train.preflight import operations, room
from tasks.stages.train.preflight.shape import Shape

GPU_SHARE, COMMON_GPU = 0.35, "NVIDIA H100 80GB HBM3"
"""What training gets out of a GPU's peak; which GPU is assumed where nobody knows."""
CPU = {"bf16": 2.0e11, "fp32": 8.0e10}
"""The same of a CPU thread: with instructions for bf16, and in fp32. SmolLM2-135M with LoRA then learns from 810 and
from 277 to 377 tokens a second on two cores (docs/decisions/training.md)."""
WITHOUT_BF16 = 8e8
"""The same in bf16 where the processor has no instructions for it."""


@dataclass(frozen=True)
class Speed:
    tokens_per_second: float
    """Of one worker."""
    source: str
    """In words."""


@dataclass(frozen=True)
class Measured:
    """What a training took here."""

    tokens_per_second: float
    """Of all its workers."""
    run: str
    training: Training


@dataclass(frozen=True)
class Calibrated:
    """What some steps took just now: `train/calibrate.py`."""

    tokens_per_second: float
    """Of one worker."""
    steps: int
    seconds: float
    rows: str
    """On which rows, in words."""


def of(
    training: Training,
    shape: Shape,
    resources: Resources,
    measured: Measured | None,
    calibrated: Calibrated | None = None,
) -> Speed:
    """What was calibrated just now, else what is given, else what was measured here, else an assumption."""
    if calibrated:
        alone = ", one worker alone" if training.workers > 1 else ""
        how = f"{calibrated.steps} steps in {calibrated.seconds:.0f} s{alone}, on {calibrated.rows}"
        return Speed(calibrated.tokens_per_second, f"calibrated on this machine: {how}")
    if resources.tokens_per_second:
        return Speed(resources.tokens_per_second, "resources.tokens_per_second of the parameters")
    if measured and measured.tokens_per_second and _alike(measured.training, training):
        return Speed(measured.tokens_per_second / measured.training.workers, f"measured here, in run {measured.run}")
    each, device = (
        _of_a_gpu(training, room.is_here(resources))
        if training.device == "gpu"
        else (_of_a_thread(training) * _threads(training), "")
    )
    forward = operations.FORWARD * (2 if training.gradient_checkpointing else 1)
    needed = (forward + operations.BACK[methods.of(training.method).form]) * shape.parameters
    what = f"{each / 1e12:.3g} TFLOPS a worker{device}, {needed / 1e9:.2g} GFLOP a token"
    return Speed(each / needed, f"assumed ({what}); --calibrate measures it on this machine")


def _of_a_gpu(training: Training, here: bool) -> tuple[float, str]:
    """That of this machine where it trains (`here`) and its peak is known, with its name in words."""
    import torch

    names = [torch.cuda.get_device_name()] if here and torch.cuda.device_count() else []
    name = next(name for name in (*names, COMMON_GPU) if devices.listed(name, training.precision).operations)
    return GPU_SHARE * devices.PEAKS[name][
        training.precision
    ] * devices.TERA, f" ({GPU_SHARE:.0%} of the peak of {name})"


def _threads(training: Training) -> float:
    """Of a worker that are at work; on this machine no more than its share of the cores."""
    return training.threads if connection.address() else min(training.threads, usable.cores() / training.workers)


def _of_a_thread(training: Training) -> float:
    slow = training.precision == "bf16" and not processor.has_bf16()
    return WITHOUT_BF16 if slow else CPU[training.precision]


ALIKE = (
    "method", "device", "precision", "threads", "gradient_checkpointing", "packed", "zero_stage", "offload",
    "attention", "sequence_parallel", "kernels",
)  # fmt: skip
"""What decides speed; of one base model, since it is the last training of this use case."""


def _alike(one: Training, other: Training) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in ALIKE)
