"""Section `training` of params.yaml."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params import methods
from tasks.core.params.methods import MethodName
from tasks.core.params.values import NonEmptyText, Share

MAX_EPOCHS = 10_000
SETTINGS_THAT_NEED_VALIDATION = ("validate_steps", "patience")


class Training(FrozenModel):
    """Settings for fine-tuning."""

    method: Annotated[MethodName, Field(description=methods.method_description())] = "lora"
    lora_rank: Annotated[int, Field(ge=1, le=1024)] | None = 16
    """Rank of the LoRA matrices; null for methods without LoRA."""
    lora_alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 32
    """LoRA scaling factor: updates are multiplied by lora_alpha / lora_rank. Null for methods without LoRA."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout probability for the inputs of the LoRA matrices. The dropout mask depends on the step, on how the step is
    divided into forward passes, and on the number of workers."""
    lora_variant: Literal["plain", "rslora", "dora"] = "plain"
    """Variant of LoRA. `rslora` divides lora_alpha by the square root of the rank (arXiv:2312.03732), which suits high
    ranks. `dora` also trains the norm of each weight column (arXiv:2402.09353), which is slower but better at low
    ranks."""
    lora_targets: Annotated[tuple[NonEmptyText, ...], Field(min_length=1)] | None = None
    """Names of the modules that get LoRA matrices, for example [q_proj, v_proj]. Null: every linear layer except the
    output head."""
    lora_layers: Annotated[int, Field(ge=1)] | None = None
    """Number of layers with LoRA matrices, counted from the output. Null: all layers. With fewer layers, the backward
    pass ends at the first of them, so that training takes less time and memory, but not with gradient_checkpointing.
    The result may be worse."""
    epochs: Annotated[float, Field(gt=0, le=MAX_EPOCHS)] = 1
    """Number of epochs; can be a fraction. One epoch reads every training row once."""
    global_batch_size: Annotated[int, Field(ge=1)] = 16
    """Number of rows in an optimizer step, over all workers. Together with `order` and `seed` it determines the rows of
    each step."""
    order: Literal["by_length", "shuffled"] = "by_length"
    """Order of the training rows. `by_length`: the rows of every hundred steps are sorted by length and divided into
    steps, which are then shuffled. This leaves hardly any padding. `shuffled`: random order."""
    micro_batch_tokens: Annotated[int, Field(ge=16)] = 4096
    """Maximum number of tokens, including padding, in one worker's forward pass. A longer row gets a separate pass. A
    step with more tokens takes more than one pass and has the same result. Lower this value if memory runs out."""
    layout: Literal["auto", "padded", "packed"] = "auto"
    """Layout of the rows in a forward pass. `padded`: a batch of rows, padded to the length of the longest. `packed`:
    one sequence of concatenated rows, separated by the attention mask. Both give the same result. `auto`: packed on
    GPUs, and padded on CPUs, where padding is faster."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    """Peak learning rate, reached after warm-up."""
    warmup_share: Share = 0.05
    """Fraction of the steps during which the learning rate rises from 0 to its peak."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """Learning-rate schedule after warm-up."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Weight decay of AdamW."""
    max_grad_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Maximum norm of the gradients. Larger gradients are clipped to it."""
    max_length: Annotated[int, Field(ge=16)] = 512
    """Maximum number of tokens in prompt and target together. A longer row stops the stage, because truncation would
    hide text."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Precision of weights and activations. bf16 is fast only on GPUs and on processors with avx512_bf16."""
    attention: Literal["auto", "flash", "sdpa", "eager"] = "auto"
    """Implementation of attention. `flash`: FlashAttention-2, on GPUs with FlashAttention installed. `auto`: on GPUs
    `flash` if it is installed, otherwise `sdpa`; on CPUs whichever is faster for the length of the rows."""
    kernels: Literal["plain", "compiled", "liger"] = "plain"
    """Implementation of the model's layers. `plain`: eager PyTorch. `compiled`: torch.compile, which requires a C++
    compiler and, on GPUs, Triton. `liger`: Liger's kernels for norms, rotary embeddings and gated layers, on GPUs with
    Liger installed."""
    gradient_checkpointing: bool = False
    """Whether to keep only the input of each layer and to recompute its activations in the backward pass. This takes
    only a fraction of the memory for activations, but a third more computation."""
    zero_stage: Literal[0, 1, 2, 3] = 0
    """Stage of DeepSpeed ZeRO, which partitions training state across workers. 0: nothing. 1: optimizer state. 2: also
    gradients. 3: also weights."""
    offload: Literal["none", "cpu"] = "none"
    """Memory in which gradients, optimizer state and, with ZeRO 3, weights are kept. `none`: memory of the device.
    `cpu`: main memory of the machine."""
    workers: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Number of processes that train. With device gpu, each has one GPU."""
    sequence_parallel: Annotated[int, Field(ge=1)] = 1
    """Number of workers that compute one forward pass together, each with a part of every row (DeepSpeed Ulysses). Use
    more than 1 if rows are too long for one worker. The number does not change the result. It must divide `workers` and
    the number of attention heads of the base model."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Device to train on. `cpu`: workers communicate through gloo. `gpu`: workers communicate through NCCL."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 2
    """Number of CPU threads of each worker. Results are reproducible only with the same number."""
    validate_steps: Annotated[int, Field(ge=1)] | None = None
    """Number of optimizer steps between two validations. A validation computes the loss on the validation rows
    (data.validation_share). The weights with the lowest validation loss are the result. Null: ten validations in
    total."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Number of consecutive validations without a lower loss after which training stops. Null: no early stopping."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 20
    """Number of optimizer steps between two checkpoints. A killed run loses at most this number of steps."""
    least_workers: Annotated[int, Field(ge=1)] | None = None
    """Minimum number of workers with which training starts or continues if a cluster has no room for all of them.
    Training waits until this minimum is available. With fewer workers, a step takes more forward passes and has the
    same result. Null: all workers are required, and training waits ten minutes for them."""
    max_failures: Annotated[int, Field(ge=0)] = 3
    """Maximum number of times that training can lose workers in one execution. After each loss, training is resumed
    from the last checkpoint."""
    divergence_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] | None = None
    """Factor by which a step's loss must exceed the median of the previous fifty steps to count as diverged. Null: only
    a loss that is not a number counts."""
    max_skipped_steps: Annotated[int, Field(ge=0)] = 0
    """Maximum number of diverged steps to skip. After each one, training is resumed from the last checkpoint without
    the diverged step. 0: training stops at the first diverged step."""
    hang_seconds: Annotated[int, Field(ge=60, le=604_800)] = 1800
    """Number of seconds after which a step counts as hung. Its workers then log their stack traces and are stopped."""
    seed: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 17
    """Random seed of the weight initialisation and of the order of rows."""

    @property
    def uses_packed_layout(self) -> bool:
        return self.device == "gpu" if self.layout == "auto" else self.layout == "packed"

    @model_validator(mode="before")
    @classmethod
    def _translate_replaced_settings(cls, given_settings: Any) -> Any:
        return (
            translate_old_settings(given_settings)
            if isinstance(given_settings, Mapping) and given_settings.keys() & REPLACED_SETTINGS.keys()
            else given_settings
        )

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        required = methods.get_method(self.method).required_settings
        if any(getattr(self, name) is None for name in required):
            raise ValueError(f"method {self.method} needs {' and '.join(required)}")
        off = {
            name: value
            for name, value in methods.required_unused_settings(self.method).items()
            if getattr(self, name) != value
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


QUANTISED_METHODS = tuple(name for name, method in methods.METHODS.items() if method.is_quantised)
IMPOSSIBLE_COMBINATIONS: tuple[tuple[Mapping[str, tuple[object, ...]], str], ...] = (
    ({"offload": ("cpu",), "zero_stage": (0,)}, "there is nothing to offload without ZeRO; set zero_stage"),
    ({"method": QUANTISED_METHODS, "zero_stage": (3,)}, "ZeRO 3 cannot part weights of 4 bits; set zero_stage to 2"),
    ({"attention": ("flash",), "device": ("cpu",)}, "FlashAttention is for GPUs; set attention to auto"),
    ({"attention": ("flash",), "precision": ("fp32",)}, "FlashAttention computes in 16 bits; set precision to bf16"),
    ({"kernels": ("liger",), "device": ("cpu",)}, "Liger's kernels are for GPUs; set kernels to plain or compiled"),
    ({"kernels": ("compiled",), "zero_stage": (3,)}, "ZeRO 3 gathers weights within a layer; set zero_stage to 2"),
    ({"lora_variant": ("dora",), "zero_stage": (3,)}, "DoRA reads whole weights; set zero_stage to 2"),
)  # fmt: skip
"""Combinations of settings that DeepSpeed, PEFT or a kernel would refuse only after the model is loaded. Each comes
with a text for the error message, which states the reason and the remedy."""


def _yaml_value(value: object) -> str:
    return "null" if value is None else str(value)


REPLACED_SETTINGS: Mapping[str, Any] = {"batch_size": 16, "gradient_accumulation": 1, "batching": "grouped"}
"""Settings of Hallmark 0.1 that later versions replaced, with their defaults. `batching` set both `order` and
`layout`."""


def translate_old_settings(old_settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate settings of Hallmark 0.1 to the settings that replaced them.

    Raises:
        ValueError: Settings of both versions are given, or a value is not valid.
    """
    now = {name: value for name, value in old_settings.items() if name not in REPLACED_SETTINGS}
    both = sorted(now.keys() & {"global_batch_size", "order", "layout", "micro_batch_tokens"})
    if both:
        old = ", ".join(sorted(old_settings.keys() & REPLACED_SETTINGS.keys()))
        raise ValueError(f"{old} of an earlier version beside {', '.join(both)} of this one: leave out {old}")
    was = {**REPLACED_SETTINGS, **old_settings}
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
