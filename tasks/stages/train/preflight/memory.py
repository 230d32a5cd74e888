"""Memory of each worker, in bytes by purpose.

Weights, gradients and optimizer state have the sizes that DeepSpeed 0.19 allocates. A test compares them with
measurements. The size of activations is an estimate after Korthikanti et al., "Reducing Activation Recomputation in
Large Transformer Models", 2022, for attention that does not write its scores to memory.
"""

import math
from dataclasses import dataclass, fields

from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.stages.train.model import builders, machine_requirements
from tasks.stages.train.preflight.model_shape import ModelShape

BYTES_PER_WEIGHT = {"fp32": 4, "bf16": 2}
FP32_BYTES = 4
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes of a weight in NF4: 4 bits, an 8-bit scale for every 64 weights, and an fp32 scale for every 256 of these
scales."""
ADAM_BYTES = 2 * FP32_BYTES
"""Bytes per weight for Adam's running means of the gradient and of its square."""
RUNTIME_BYTES = {"cpu": 900_000_000, "gpu": 1_500_000_000}
"""Bytes of memory that the process itself needs: Python, torch and, on a GPU, its context and libraries. The value for
CPUs was fitted to three training runs of SmolLM2 with LoRA. They took 2.48, 2.13, and 2.27 to 2.54 GB; the estimates
are 2.27, 2.17 and 2.68 GB."""


@dataclass(frozen=True)
class WorkerMemory:
    """Estimated memory that one worker needs, in bytes."""

    weights: int
    gradients: int
    optimizer: int
    """State of the optimizer, including the fp32 copy of the weights that it updates."""
    activations: int
    """Maximum size of the tensors that a forward pass keeps for the backward pass."""
    buffers: int
    """Communication buffers, and memory of the process itself."""
    host: int
    """Memory of the machine for offloaded state. It is needed in addition to the memory of the device."""

    @property
    def device(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self) if field.name != "host")


MIN_TARGET_SHARE = 0.5
"""Minimum fraction of target tokens that is assumed. Conversations seldom have a higher one; for plain texts it is
1."""


def estimate_memory(
    training: Training, shape: ModelShape, tokens: int, target_share: float = MIN_TARGET_SHARE
) -> WorkerMemory:
    """Return the memory that a worker needs.

    Args:
        training: Parameters of the training run.
        shape: Shape of the model.
        tokens: Number of tokens of this worker in the largest forward pass.
        target_share: Fraction of these tokens that are targets. Lower values are raised to MIN_TARGET_SHARE.
    """
    stage, width, workers = training.zero_stage, BYTES_PER_WEIGHT[training.precision], training.workers
    trained, frozen = shape.trained_weight_count(training), shape.frozen_weight_count(training)
    parted = [1 if stage < since else workers for since in (1, 2, 3)]  # optimizer, gradients, weights
    optimizer = trained * (ADAM_BYTES + (FP32_BYTES if stage or width != FP32_BYTES else 0)) // parted[0]
    gradients = _gradient_bytes(trained, stage, width) // parted[1]
    weights = (trained + frozen) * width // parted[2]
    if methods.get_method(training.method).is_quantised:
        weights -= round(sum(map(math.prod, shape.linear_weight_shapes().values())) * (width - NF4_BYTES))
    offloaded = training.offload != "none"
    host = (optimizer + gradients if offloaded else 0) + (weights if offloaded and stage == 3 else 0)
    step = (
        trained * 2 * FP32_BYTES if stage == 0 and width != FP32_BYTES else 0
    )  # gradients in fp32, separate and concatenated
    buffers = (
        step
        + RUNTIME_BYTES[training.device]
        + (builders.ZERO_BUCKET_ELEMENTS * width * (2 if stage == 3 else 1) if stage else 0)
    )
    return WorkerMemory(
        weights=0 if offloaded and stage == 3 else weights,
        gradients=0 if offloaded else gradients,
        optimizer=0 if offloaded else optimizer,
        activations=_activation_bytes(training, shape, tokens, width, _worker_target_share(training, target_share)),
        buffers=buffers,
        host=host,
    )


def _worker_target_share(training: Training, target_share: float) -> float:
    return min(1.0, max(MIN_TARGET_SHARE, target_share) * training.sequence_parallel)


def _gradient_bytes(trained_count: int, zero_stage: int, weight_bytes: int) -> int:
    """Return the bytes of gradients.

    ZeRO sums gradients in fp32, and stage 1 also keeps the gradients of the last pass.
    """
    if zero_stage == 0:
        return trained_count * weight_bytes
    if zero_stage == 1 and weight_bytes != FP32_BYTES:
        return trained_count * (weight_bytes + FP32_BYTES)
    return trained_count * FP32_BYTES


def _activation_bytes(training: Training, shape: ModelShape, tokens: int, width: int, target_share: float) -> int:
    layer = tokens * (10 * shape.hidden_width + 4 * shape.feed_forward_width) * width
    kept = round(shape.layers * shape.backward_share(training)) * (
        tokens * shape.hidden_width * width if training.gradient_checkpointing else layer
    )
    wide = min(tokens, training.max_length)
    scores = 2 * shape.heads * wide * tokens * width if training.attention == "eager" else 0
    # Each worker has the mask of the whole pass, as booleans and as numbers (packed_mask.py). A row longer than a pass
    # is computed alone and needs no mask. Neither does FlashAttention, which `auto` uses on GPUs if it is installed.
    several = training.uses_packed_layout and tokens <= training.micro_batch_tokens
    masked = training.attention in ("auto", "sdpa") and not machine_requirements.uses_flash_attention(training)
    mask = (tokens * training.sequence_parallel) ** 2 * (1 + width) if several and masked else 0
    # At targets only: the logits, their copy in fp32, and the log-probabilities (target_loss.py).
    logits = 3 * round(tokens * target_share) * shape.vocabulary * FP32_BYTES
    return kept + (layer if training.gradient_checkpointing else 0) + scores * shape.layers + mask + logits
