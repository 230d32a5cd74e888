"""`training` of params.yaml."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tasks.core.config import Frozen
from tasks.core.params import methods
from tasks.core.params.methods import MethodName
from tasks.core.params.values import Share, Text

MOST_EPOCHS = 10_000
LOOKS = ("validate_steps", "patience")
"""Settings that ask for validation rows."""


class Training(Frozen):
    """How the base model is trained."""

    method: MethodName = "lora"
    """`lora` trains an adapter, `qlora` one over a base model read in 4 bits a weight, `full` every weight."""
    lora_rank: Annotated[int, Field(ge=1, le=1024)] | None = 16
    """Rank of the LoRA matrices; null with method full."""
    lora_alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 32
    """LoRA scale: updates are multiplied by lora_alpha / lora_rank; null with method full."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the inputs of LoRA matrices that training drops. Which ones follows from step, passes and workers."""
    lora_variant: Literal["plain", "rslora", "dora"] = "plain"
    """`rslora` divides lora_alpha by the root of the rank (arXiv:2312.03732), for high ranks. `dora` also trains the
    length of each weight column (arXiv:2402.09353): slower, and better at low ranks."""
    lora_targets: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Names of the modules that get LoRA matrices, as in [q_proj, v_proj]; null: every linear layer but the output
    head."""
    epochs: Annotated[float, Field(gt=0, le=MOST_EPOCHS)] = 1
    """Passes over the training rows; a fraction stops within one."""
    global_batch_size: Annotated[int, Field(ge=1)] = 16
    """Rows of an optimizer step, over all workers. With `order` and `seed` it decides what each step learns from."""
    order: Literal["by_length", "shuffled"] = "by_length"
    """Which rows stand in a step together. `by_length`: rows of like length among a hundred steps' worth, the steps
    shuffled; hardly any padding. `shuffled`: any."""
    micro_batch_tokens: Annotated[int, Field(ge=16)] = 4096
    """Tokens, padding included, that a worker takes through the model at a time; a longer row goes alone. A step that
    needs more takes several passes and learns the same: lower it where memory runs out."""
    layout: Literal["auto", "padded", "packed"] = "auto"
    """How rows lie in a pass. `padded`: one beside the other, filled up to the longest. `packed`: end to end, kept
    apart by the attention. A step learns the same. `auto`: packed on GPUs, padded on CPUs, which is faster there."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    """The highest, after warm-up."""
    warmup_share: Share = 0.05
    """Share of the steps in which the learning rate rises from 0."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the learning rate goes after warm-up."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Of AdamW."""
    max_grad_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Gradients are clipped to this norm."""
    max_length: Annotated[int, Field(ge=16)] = 512
    """Tokens of prompt and target together; a longer row stops the stage, since cutting would hide text."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Of weights and activations; bf16 is fast only where the processor has avx512_bf16, and on GPUs."""
    attention: Literal["auto", "flash", "sdpa", "eager"] = "auto"
    """How attention is computed. `flash`: FlashAttention-2, on GPUs that have it installed. `auto`: on GPUs `flash`
    where it is installed, else `sdpa`; on CPUs what is faster for the length of the rows."""
    kernels: Literal["plain", "compiled", "liger"] = "plain"
    """What computes the model's layers. `plain`: PyTorch, one operation after another. `compiled`: torch.compile, which
    needs a C++ compiler, and on GPUs Triton. `liger`: Liger's norms, rotary embeddings and gated layers, on GPUs that
    have it installed."""
    gradient_checkpointing: bool = False
    """Keep each layer's input alone and compute the rest again on the way back: a third more work, a fraction of the
    memory for activations."""
    zero_stage: Literal[0, 1, 2, 3] = 0
    """DeepSpeed ZeRO: what workers share out among them. 1: the optimizer's state. 2: gradients too. 3: weights too."""
    offload: Literal["none", "cpu"] = "none"
    """Where gradients and the optimizer's state lie, and with ZeRO 3 the weights: on the device, or in the machine's
    memory."""
    workers: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Processes (one GPU each on GPUs)."""
    sequence_parallel: Annotated[int, Field(ge=1)] = 1
    """How many workers take a pass together, each with its part of every row (DeepSpeed's Ulysses): for rows too long
    for one. A step learns the same. It divides `workers` and the heads of the base model's attention."""
    device: Literal["cpu", "gpu"] = "cpu"
    """`cpu` with gloo, `gpu` with NCCL."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 2
    """CPU threads a worker computes with; results are reproducible for the same number."""
    validate_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps between looks at the validation rows (data.validation_share); null: ten looks in all. The weights
    of the look with the lowest loss are the result."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Looks in a row without a lower loss after which training stops; null: it goes on to the end."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 20
    """Optimizer steps between checkpoints; a killed run loses at most these."""
    least_workers: Annotated[int, Field(ge=1)] | None = None
    """With how many workers it goes on where a cluster has no more of them, and for how many it waits; null: with all,
    and it waits ten minutes. A step learns the same, in more passes."""
    max_failures: Annotated[int, Field(ge=0)] = 3
    """How often workers may be lost in one execution before it gives up; each time it goes on from the last
    checkpoint."""
    divergence_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] | None = None
    """A loss so many times the median of the fifty steps before counts as diverged; null: only one that is no
    number."""
    max_skipped_steps: Annotated[int, Field(ge=0)] = 0
    """How many diverged steps may be left out: training goes back to the last checkpoint and takes the others. 0 stops
    at the first."""
    hang_seconds: Annotated[int, Field(ge=60, le=604_800)] = 1800
    """A step that takes longer counts as hung: its workers are ended, and say where they stood."""
    seed: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 17
    """Of initialisation and of the order of rows."""

    @property
    def packed(self) -> bool:
        """Rows of a pass lie end to end."""
        return self.device == "gpu" if self.layout == "auto" else self.layout == "packed"

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_version(cls, given: Any) -> Any:
        return translated(given) if isinstance(given, Mapping) and given.keys() & EARLIER.keys() else given

    @model_validator(mode="after")
    def _possible(self) -> Self:
        required = methods.of(self.method).required
        if any(getattr(self, name) is None for name in required):
            raise ValueError(f"method {self.method} needs {' and '.join(required)}")
        off = {name: value for name, value in methods.foreign(self.method).items() if getattr(self, name) != value}
        if off:
            wanted = ", ".join(f"{name} to {'null' if value is None else value}" for name, value in off.items())
            raise ValueError(f"method {self.method} has no such settings: set {wanted}")
        if self.least_workers and self.least_workers > self.workers:
            raise ValueError(f"least_workers {self.least_workers} is more than workers {self.workers}: lower it")
        self._require_parts()
        for impossible, why in IMPOSSIBLE:
            if all(getattr(self, name) in values for name, values in impossible.items()):
                told = " with ".join(f"{name} {_plain(getattr(self, name))}" for name in impossible)
                raise ValueError(f"{told} is not possible: {why}")
        return self

    def _require_parts(self) -> None:
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


QUANTISED = tuple(name for name, method in methods.METHODS.items() if method.quantised)
IMPOSSIBLE: tuple[tuple[Mapping[str, tuple[object, ...]], str], ...] = (
    ({"offload": ("cpu",), "zero_stage": (0,)}, "there is nothing to offload without ZeRO; set zero_stage"),
    ({"method": QUANTISED, "zero_stage": (3,)}, "ZeRO 3 cannot part weights of 4 bits; set zero_stage to 2"),
    ({"attention": ("flash",), "device": ("cpu",)}, "FlashAttention is for GPUs; set attention to auto"),
    ({"attention": ("flash",), "precision": ("fp32",)}, "FlashAttention computes in 16 bits; set precision to bf16"),
    ({"kernels": ("liger",), "device": ("cpu",)}, "Liger's kernels are for GPUs; set kernels to plain or compiled"),
    ({"kernels": ("compiled",), "zero_stage": (3,)}, "ZeRO 3 gathers weights within a layer; set zero_stage to 2"),
    ({"lora_variant": ("dora",), "zero_stage": (3,)}, "DoRA reads whole weights; set zero_stage to 2"),
)  # fmt: skip
"""Settings that DeepSpeed, PEFT or a kernel would refuse once the model is loaded, each with what to do."""


def _plain(value: object) -> str:
    return "null" if value is None else str(value)


EARLIER: Mapping[str, Any] = {"batch_size": 16, "gradient_accumulation": 1, "batching": "grouped"}
"""Keys of Hallmark 0.1 with their defaults: rows per worker and pass, passes, and order and layout in one."""


def translated(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an earlier version in the words of this one. Raises ValueError where both are there."""
    now = {name: value for name, value in given.items() if name not in EARLIER}
    both = sorted(now.keys() & {"global_batch_size", "order", "layout", "micro_batch_tokens"})
    if both:
        old = ", ".join(sorted(given.keys() & EARLIER.keys()))
        raise ValueError(f"{old} of an earlier version beside {', '.join(both)} of this one: leave out {old}")
    was = {**EARLIER, **given}
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
