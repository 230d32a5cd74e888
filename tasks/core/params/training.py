"""`training` of params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.core.config import Frozen
from tasks.core.params import methods
from tasks.core.params.methods import MethodName
from tasks.core.params.values import Share


class Training(Frozen):
    """How the base model is trained."""

    method: MethodName = "lora"
    """`lora` trains an adapter, `full` every weight."""
    lora_rank: Annotated[int, Field(ge=1, le=1024)] | None = 16
    """Rank of the LoRA matrices; null with method full."""
    lora_alpha: Annotated[float, Field(gt=0)] | None = 32
    """LoRA scale: updates are multiplied by lora_alpha / lora_rank; null with method full."""
    lora_dropout: Share = 0.0
    """Share of the inputs of LoRA matrices that training drops."""
    epochs: Annotated[float, Field(gt=0)] = 1
    """Passes over the training rows; a fraction stops within one."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Rows per worker and forward pass."""
    gradient_accumulation: Annotated[int, Field(ge=1)] = 1
    """Forward passes per optimizer step."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    """The highest, after warm-up."""
    warmup_share: Share = 0.05
    """Share of the steps in which the learning rate rises from 0."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the learning rate goes after warm-up."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Of AdamW."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this norm."""
    max_length: Annotated[int, Field(ge=16)] = 512
    """Tokens of prompt and target together; a longer row stops the stage, since cutting would hide text."""
    batching: Literal["grouped", "packed"] = "grouped"
    """`grouped`: batches of rows of like length, faster on a CPU. `packed`: rows end to end, isolated, for GPUs."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Of weights and activations; bf16 is fast only where the processor has avx512_bf16, and on GPUs."""
    zero_stage: Literal[0, 2, 3] = 0
    """DeepSpeed ZeRO stage."""
    workers: Annotated[int, Field(ge=1)] = 1
    """Processes (one GPU each on GPUs)."""
    device: Literal["cpu", "gpu"] = "cpu"
    """`cpu` with gloo, `gpu` with NCCL."""
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads a worker computes with; results are reproducible for the same number."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 20
    """Optimizer steps between checkpoints; a killed run loses at most these."""
    seed: int = 17
    """Of initialisation and of the order of rows."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        required = methods.of(self.method).required
        if any(getattr(self, name) is None for name in required):
            raise ValueError(f"method {self.method} needs {' and '.join(required)}")
        off = {name: value for name, value in methods.foreign(self.method).items() if getattr(self, name) != value}
        if off:
            wanted = ", ".join(f"{name} to {'null' if value is None else value}" for name, value in off.items())
            raise ValueError(f"method {self.method} has no such settings: set {wanted}")
        return self
