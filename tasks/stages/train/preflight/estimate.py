"""Estimate of a training run: whether it fits, what would make it fit, how long it takes and what it costs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tasks.core.errors import InputError
from tasks.core.params import methods
from tasks.core.params.resources import Resources
from tasks.core.params.training import Training
from tasks.stages.train.preflight import memory, operations, speed
from tasks.stages.train.preflight.machine_capacity import GIB, MachineCapacity
from tasks.stages.train.preflight.memory import ADAM_BYTES, FP32_BYTES, WorkerMemory
from tasks.stages.train.preflight.model_shape import ModelShape
from tasks.stages.train.preflight.speed import CalibratedSpeed, MeasuredSpeed, WorkerSpeed
from tasks.stages.train.preflight.workload import Workload
from tasks.stages.train.recovery import checkpoints


@dataclass(frozen=True)
class Estimate:
    training: Training
    shape: ModelShape
    memory: WorkerMemory
    capacity: MachineCapacity
    disk_bytes: int
    """Bytes of disk space for checkpoints and weights."""
    workload: Workload | None
    """Rows and steps of the training run; None before stage `tokenise` has run."""
    speed: WorkerSpeed
    price_per_hour: float
    """Price per hour of one worker in USD."""

    @property
    def fits_memory(self) -> bool | None:
        """Whether the training run fits into the memory of device and machine; None if a size is unknown."""
        return _fits(self.training, self.memory, self.capacity)

    @property
    def lacks_disk_space(self) -> bool:
        return self.capacity.disk_bytes is not None and self.disk_bytes > self.capacity.disk_bytes

    @property
    def busy_workers(self) -> int:
        """Number of workers with at least one row in a step. The others are idle."""
        together = self.training.sequence_parallel
        return min(self.training.workers // together, self.training.global_batch_size) * together

    @property
    def hours(self) -> float | None:
        if self.workload is None:
            return None
        forward = operations.FORWARD_OPERATIONS / (
            operations.FORWARD_OPERATIONS
            + operations.BACKWARD_OPERATIONS[methods.get_method(self.training.method).result_form]
        )
        tokens = self.workload.training_tokens + self.workload.validation_tokens * forward
        return tokens / (self.speed.tokens_per_second * self.busy_workers) / 3600

    @property
    def cost_usd(self) -> float | None:
        """Price of the training run in USD; None if its duration is unknown."""
        return None if self.hours is None else self.hours * self.training.workers * self.price_per_hour


def estimate_training(
    training: Training,
    shape: ModelShape,
    resources: Resources,
    capacity: MachineCapacity,
    workload: Workload | None,
    measured: MeasuredSpeed | None = None,
    calibrated: CalibratedSpeed | None = None,
) -> Estimate:
    trained, width = shape.trained_weight_count(training), memory.BYTES_PER_WEIGHT[training.precision]
    state = trained * (width + ADAM_BYTES + (FP32_BYTES if training.zero_stage or width != FP32_BYTES else 0))
    return Estimate(
        training=training,
        shape=shape,
        memory=memory_needed(training, shape, workload),
        capacity=capacity,
        disk_bytes=(checkpoints.KEPT_CHECKPOINTS + 1) * (state + trained * width),  # each with the best weights so far
        workload=workload,
        speed=speed.estimate_speed(training, shape, resources, measured, calibrated),
        price_per_hour=resources.price_per_hour,
    )


def memory_needed(training: Training, shape: ModelShape, workload: Workload | None) -> WorkerMemory:
    share = workload.target_share if workload else memory.MIN_TARGET_SHARE
    return memory.estimate_memory(training, shape, largest_pass_tokens(training, workload), share)


def largest_pass_tokens(training: Training, workload: Workload | None) -> int:
    """Return the number of tokens in a worker's largest forward pass; an upper limit if the rows are unknown."""
    together = training.sequence_parallel
    if workload is None:
        return max(training.micro_batch_tokens, -(-training.max_length // together))
    return max(
        min(training.micro_batch_tokens, -(-workload.largest_pass_tokens // together)),
        -(-workload.longest_row // together),
    )


SMALLER_METHODS = " or ".join(name for name, method in methods.METHODS.items() if method.adapter)
OTHER_REMEDIES = (
    f"more machines with training.zero_stage: 3, method {SMALLER_METHODS}, a smaller model, or larger devices"
)
MEMORY_SAVING_CHANGES: tuple[Mapping[str, Any], ...] = (
    {"gradient_checkpointing": True},
    {"zero_stage": 2},
    {"zero_stage": 3},
    {"zero_stage": 2, "offload": "cpu"},
    {"zero_stage": 3, "offload": "cpu"},
)
"""Parameter changes that save memory without changing what is learnt, from the cheapest to the most expensive."""


def find_remedies(estimate: Estimate) -> Mapping[str, Any] | None:
    """Return the cheapest parameter changes with which the training run fits.

    The result is empty if the training run fits already, and None if no changes are sufficient.
    """
    if estimate.fits_memory is not False:
        return {}
    work = estimate.workload
    longest = work.longest_row if work else estimate.training.max_length
    for changes in _changes_by_cost(estimate.training, -(-longest // estimate.training.sequence_parallel)):
        try:
            changed = Training.model_validate({**estimate.training.model_dump(), **changes})
        except ValidationError:
            continue  # the method does not support it
        if _fits(changed, memory_needed(changed, estimate.shape, work), estimate.capacity) is not False:
            return changes
    return None


def _fits(training: Training, memory: WorkerMemory, capacity: MachineCapacity) -> bool | None:
    if capacity.device_bytes is None:
        return None
    if training.device == "cpu":
        return memory.device + memory.host <= capacity.device_bytes
    if memory.device > capacity.device_bytes or not memory.host:
        return memory.device <= capacity.device_bytes
    return None if capacity.host_bytes is None else memory.host <= capacity.host_bytes


def _changes_by_cost(training: Training, longest: int) -> Iterator[Mapping[str, Any]]:
    changes: dict[str, Any] = {}
    tokens = training.micro_batch_tokens
    while tokens // 2 >= max(16, longest):
        tokens //= 2
        changes = {"micro_batch_tokens": tokens}
        yield changes
    for change in MEMORY_SAVING_CHANGES:
        offloads = "offload" in change
        if offloads and training.device == "cpu":
            continue  # device and machine have the same memory
        if (
            not offloads
            and "zero_stage" in change
            and (training.workers == 1 or training.zero_stage >= change["zero_stage"])
        ):
            continue
        if all(getattr(training, name) == value for name, value in change.items()):
            continue
        changes = {**changes, **change}
        yield changes


def require_fit(estimate: Estimate, machine_name: str = "") -> None:
    """Verify that the training run can fit.

    The check includes only the memory that DeepSpeed is certain to allocate. Activations are not included, because
    their estimate is too imprecise to refuse a training run.

    Args:
        estimate: Estimate of the training run.
        machine_name: Name of the machine, for the error message.

    Raises:
        InputError: Memory or disk space does not suffice.
    """
    wanted, room = estimate.memory, estimate.capacity
    certain = wanted.weights + wanted.gradients + wanted.optimizer
    certain += wanted.host if estimate.training.device == "cpu" else 0
    if room.device_bytes is not None and certain > room.device_bytes:
        change = find_remedies(estimate)
        what = "set " + ", ".join(f"training.{name}: {_yaml(value)}" for name, value in change.items()) if change else (
            f"take {OTHER_REMEDIES}"
        )  # fmt: skip
        raise InputError(
            f"a worker needs {certain / GIB:.1f} GiB for weights, gradients and optimizer, and has {machine_name}"
            f"{room.device_bytes / GIB:.1f} GiB; {what}"
        )
    if room.host_bytes is not None and wanted.host > room.host_bytes:
        raise InputError(
            f"a worker needs {wanted.host / GIB:.1f} GiB of its machine for what is offloaded, and has {machine_name}"
            f"{room.host_bytes / GIB:.1f} GiB; take machines with more memory, or set training.offload: none"
        )
    if estimate.lacks_disk_space:
        raise InputError(disk_message(estimate))


def disk_message(estimate: Estimate) -> str:
    free = estimate.capacity.disk_bytes or 0
    return (
        f"checkpoints and weights take {estimate.disk_bytes / GIB:.1f} GiB of disk, and {free / GIB:.1f} GiB are "
        "free; make room, or put .hallmark on a larger disk"
    )


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
