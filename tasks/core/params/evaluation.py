"""`evaluation` of params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.core.config import Frozen


class Evaluation(Frozen):
    """How models are asked and judged."""

    target: Literal["json", "label"] = "json"
    """`json`: the answer is a JSON object, judged by `label_field`. `label`: the whole answer is the label."""
    label_field: str | None = None
    """The field of a JSON answer that macro-F1 and confusions are about, e.g. intent."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 64
    """Tokens of an answer at most; somewhat more than the longest target has."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Rows answered together."""
    base_rows: Annotated[int, Field(ge=1)] | None = 400
    """The base model answers a fixed sample of so many test rows, and is compared on these; null: all of them."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Of the weights that answer; bf16 is fast only where the processor has avx512_bf16, and on GPUs."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Where answers are computed."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 2
    """CPU threads; the same number gives the same answers."""
    workers: Annotated[int, Field(ge=1)] = 1
    """Processes that answer, each with the model and on GPUs with one of its own: by Ray, here or on the cluster at
    RAY_ADDRESS. It decides no answer. 1: the stage's own process, without Ray, or on device gpu one of the cluster."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """What computes the answers. `vllm`: on GPUs that have vLLM installed. It rounds at other places, so compare models
    that the same one has asked."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Coverage of every interval."""
    bootstrap_samples: Annotated[int, Field(ge=100)] = 2000
    """Samples that an interval by bootstrap is computed from."""
    seed: int = 17
    """Of the bootstrap and of the sample for the base model."""
    price_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.10
    """USD for an hour of a machine that serves, which one worker is, to compute cost per 1,000 requests."""

    def by_ray(self, cluster: bool) -> bool:
        """Whether Ray's workers answer, and not the stage's own process. `cluster`: there is one."""
        return self.workers > 1 or (cluster and self.device == "gpu")

    @model_validator(mode="after")
    def _field(self) -> Self:
        if (self.target == "json") != bool(self.label_field):
            raise ValueError(
                "label_field names a field of a JSON answer: set it with target json, only with target json"
            )
        return self

    @model_validator(mode="after")
    def _on_a_gpu(self) -> Self:
        if self.engine == "vllm" and self.device == "cpu":
            raise ValueError("engine vllm answers on GPUs alone here: set device to gpu, or engine to transformers")
        return self
