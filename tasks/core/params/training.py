"""Section `training` of params.yaml."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params import methods
from tasks.core.params.methods import MethodName
from tasks.core.params.values import Share, Text

MAX_EPOCHS = 10_000
VALIDATION_SETTINGS = ("validate_steps", "patience")


class Training(FrozenModel):
    """Settings of fine-tuning."""

    method: Annotated[MethodName, Field(description=methods.description())] = "lora"
    lora_rank: Annotated[int, Field(ge=1, le=1024)] | None = 16
    """Rank of the LoRA matrices; null with methods that have none."""
    lora_alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 32
    """LoRA scale: updates are multiplied by lora_alpha / lora_rank; null with methods that have none."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout probability of the inputs of LoRA matrices. The mask depends on the step, the passes and the number of
    workers."""
    lora_variant: Literal["plain", "rslora", "dora"] = "plain"
    """Variant of LoRA. `rslora` divides lora_alpha by the square root of the rank (arXiv:2312.03732), for high ranks.
    `dora` also trains the norm of each weight column (arXiv:2402.09353): slower, and better at low ranks."""
    lora_targets: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Names of the modules that get LoRA matrices, e.g. [q_proj, v_proj]; null: every linear layer except the output
    head."""
    epochs: Annotated[float, Field(gt=0, le=MAX_EPOCHS)] = 1
    """Number of passes over the training rows; may be a fraction."""
    global_batch_size: Annotated[int, Field(ge=1)] = 16
    """Number of rows in an optimizer step, over all workers. Together with `order` and `seed` it determines the rows of
    each step."""
    order: Literal["by_length", "shuffled"] = "by_length"
    """Order of the training rows. `by_length`: the rows of a hundred steps are sorted by length, cut into steps, and
    the steps are shuffled, so that there is hardly any padding. `shuffled`: random order."""
    micro_batch_tokens: Annotated[int, Field(ge=16)] = 4096
    """Maximum number of tokens, padding included, in a forward pass of one worker; a longer row has a pass of its own.
    A step with more tokens takes several passes, with the same result: lower it if memory runs out."""
    layout: Literal["auto", "padded", "packed"] = "auto"
    """Layout of the rows in a pass. `padded`: a batch of rows, padded to the longest. `packed`: one sequence of
    concatenated rows, separated by the attention mask. Both give the same result. `auto`: packed on GPUs, padded on
    CPUs, where it is faster."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    """Peak learning rate, reached after warm-up."""
    warmup_share: Share = 0.05
    """Share of the steps in which the learning rate rises from 0."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """Learning-rate schedule after warm-up."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Weight decay of AdamW."""
    max_grad_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Maximum norm of the gradients; larger ones are clipped to it."""
    max_length: Annotated[int, Field(ge=16)] = 512
    """Maximum number of tokens of prompt and target together. A longer row stops the stage, since truncation would hide
    text."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Precision of weights and activations; bf16 is fast only on GPUs and on processors with avx512_bf16."""
    attention: Literal["auto", "flash", "sdpa", "eager"] = "auto"
    """Implementation of attention. `flash`: FlashAttention-2, on GPUs that have it installed. `auto`: on GPUs `flash`
    if it is installed, else `sdpa`; on CPUs the faster one for the length of the rows."""
    kernels: Literal["plain", "compiled", "liger"] = "plain"
    """Implementation of the model's layers. `plain`: eager PyTorch. `compiled`: torch.compile, which needs a C++
    compiler, and Triton on GPUs. `liger`: Liger's kernels for norms, rotary embeddings and gated layers, on GPUs that
    have it installed."""
    gradient_checkpointing: bool = False
    """Whether to keep only the input of each layer and to recompute its activations in the backward pass: a third more
    computation, a fraction of the memory for activations."""
    zero_stage: Literal[0, 1, 2, 3] = 0
    """Stage of DeepSpeed ZeRO, which partitions state over the workers. 0: nothing. 1: the optimizer's state. 2: also
    gradients. 3: also weights."""
    offload: Literal["none", "cpu"] = "none"
    """Memory for gradients and the optimizer's state, and with ZeRO 3 for weights. `none`: that of the device. `cpu`:
    the main memory of the machine."""
    workers: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Number of processes that train; with device gpu each has one GPU."""
    sequence_parallel: Annotated[int, Field(ge=1)] = 1
    """Number of workers that share one pass, each with a part of every row (DeepSpeed Ulysses), for rows that are too
    long for one worker. It does not change the result. It must divide `workers` and the number of attention heads of
    the base model."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Device to train on. `cpu`: workers communicate with gloo. `gpu`: with NCCL."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 2
    """Number of CPU threads of each worker; results are reproducible for the same number."""
    validate_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps between two validations, which compute the loss over the validation rows (data.validation_share);
    null: ten validations in all. The weights with the lowest validation loss are the result."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Number of consecutive validations without a lower loss after which training stops; null: no early stopping."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 20
    """Optimizer steps between two checkpoints, and so the maximum number of steps that a killed run loses."""
    least_workers: Annotated[int, Field(ge=1)] | None = None
    """Minimum number of workers with which training starts or continues if a cluster has no room for all; it waits for
    that many. With fewer workers a step takes more passes, with the same result. Null: all workers are required, and
    training waits ten minutes for them."""
    max_failures: Annotated[int, Field(ge=0)] = 3
    """Number of times that workers may be lost in one execution; after each, training is resumed from the last
    checkpoint."""
    divergence_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] | None = None
    """Factor by which a loss must exceed the median of the fifty steps before to count as diverged; null: only a loss
    that is not a number counts."""
    max_skipped_steps: Annotated[int, Field(ge=0)] = 0
    """Maximum number of diverged steps to skip; for each, training is resumed from the last checkpoint without that
    step. 0: training stops at the first one."""
    hang_seconds: Annotated[int, Field(ge=60, le=604_800)] = 1800
    """Seconds after which a step counts as hung; its workers then log their stack traces and are stopped."""
    seed: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 17
    """Random seed of the initialisation and of the order of rows."""

    @property
    def packed(self) -> bool:
        return self.device == "gpu" if self.layout == "auto" else self.layout == "packed"

    @model_validator(mode="before")
    @classmethod
    def _translate(cls, given: Any) -> Any:
        return translate(given) if isinstance(given, Mapping) and given.keys() & REPLACED_SETTINGS.keys() else given

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        required = methods.get(self.method).required
        if any(getattr(self, name) is None for name in required):
            raise ValueError(f"method {self.method} needs {' and '.join(required)}")
        off = {
            name: value for name, value in methods.other_settings(self.method).items() if getattr(self, name) != value
        }
        if off:
            wanted = ", ".join(f"{name} to {'null' if value is None else value}" for name, value in off.items())
            raise ValueError(f"method {self.method} has no such settings: set {wanted}")
        if self.least_workers and self.least_workers > self.workers:
            raise ValueError(f"least_workers {self.least_workers} is more than workers {self.workers}: lower it")
        self._check_sequence_parallel()
        for impossible, why in IMPOSSIBLE_COMBINATIONS:
            if all(getattr(self, name) in values for name, values in impossible.items()):
                told = " with ".join(f"{name} {_yaml_value(getattr(self, name))}" for name in impossible)
                raise ValueError(f"{told} is not possible: {why}")
        return self

    def _check_sequence_parallel(self) -> None:
        together = self.sequence_parallel
        for name in ("workers", "least_workers"):
            count = getattr(self, name)
            if count is not None and count % together:
                raise ValueError(
                    f"{name} {count} with sequence_parallel {together} is not possible: workers take a pass {together} "
                    f"at a time; set {name} to a multiple of {together}"
                )
        if together > 1 and self.attention == "eager":
            raise ValueError(
                f"attention eager with sequence_parallel {together} is not possible: it has no form for several "
                "workers; set attention to auto"
            )
        if together > 1 and self.kernels == "compiled":
            raise ValueError(
                f"kernels compiled with sequence_parallel {together} is not possible: nobody has tried both together; "
                "set kernels to plain"
            )


QUANTISED_METHODS = tuple(name for name, method in methods.METHODS.items() if method.quantised)
IMPOSSIBLE_COMBINATIONS: tuple[tuple[Mapping[str, tuple[object, ...]], str], ...] = (
    ({"offload": ("cpu",), "zero_stage": (0,)}, "there is nothing to offload without ZeRO; set zero_stage"),
    ({"method": QUANTISED_METHODS, "zero_stage": (3,)}, "ZeRO 3 cannot part weights of 4 bits; set zero_stage to 2"),
    ({"attention": ("flash",), "device": ("cpu",)}, "FlashAttention is for GPUs; set attention to auto"),
    ({"attention": ("flash",), "precision": ("fp32",)}, "FlashAttention computes in 16 bits; set precision to bf16"),
    ({"kernels": ("liger",), "device": ("cpu",)}, "Liger's kernels are for GPUs; set kernels to plain or compiled"),
    ({"kernels": ("compiled",), "zero_stage": (3,)}, "ZeRO 3 gathers weights within a layer; set zero_stage to 2"),
    ({"lora_variant": ("dora",), "zero_stage": (3,)}, "DoRA reads whole weights; set zero_stage to 2"),
)  # fmt: skip
"""Combinations of settings that DeepSpeed, PEFT or a kernel would refuse only after the model is loaded.

Each has the reason and the remedy.
"""


def _yaml_value(value: object) -> str:
    return "null" if value is None else str(value)


REPLACED_SETTINGS: Mapping[str, Any] = {"batch_size": 16, "gradient_accumulation": 1, "batching": "grouped"}
"""Settings of Hallmark 0.1 that this version replaced, with their defaults. `batching` set both order and layout."""


def translate(given: Mapping[str, Any]) -> dict[str, Any]:
    """Translate settings of Hallmark 0.1 into those of this version.

    Raises:
        ValueError: Settings of both versions are given, or a value is not valid.
    """
    now = {name: value for name, value in given.items() if name not in REPLACED_SETTINGS}
    both = sorted(now.keys() & {"global_batch_size", "order", "layout", "micro_batch_tokens"})
    if both:
        old = ", ".join(sorted(given.keys() & REPLACED_SETTINGS.keys()))
        raise ValueError(f"{old} of an earlier version beside {', '.join(both)} of this one: leave out {old}")
    was = {**REPLACED_SETTINGS, **given}
    rows, passes, workers = was["batch_size"], was["gradient_accumulation"], was.get("workers", 1)
    if not all(isinstance(count, int) and count >= 1 for count in (rows, passes, workers)):
        raise ValueError("batch_size, gradient_accumulation and workers: expected whole numbers from 1 on")
    if was["batching"] not in ("grouped", "packed"):
        raise ValueError(f"batching: expected grouped or packed, got {was['batching']!r}")
    packed = was["batching"] == "packed"
    return now | {
        "global_batch_size": rows * passes * workers,
        "order": "shuffled" if packed else "by_length",
        "layout": "packed" if packed else "padded",
    }
