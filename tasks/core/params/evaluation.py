"""Section `evaluation` of params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import NFC


class Evaluation(FrozenModel):
    """Settings of prediction and of metrics."""

    target: Literal["json", "label"] = "json"
    """Format of an answer. `json`: a JSON object, of which `label_field` is the label. `label`: the whole answer is the
    label."""
    label_field: Annotated[str, NFC] | None = None
    """Field of a JSON answer for which macro-F1 and the confusion matrix are computed, e.g. intent."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 64
    """Maximum number of tokens in an answer; set it somewhat higher than the longest target."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Number of rows in a batch."""
    base_rows: Annotated[int, Field(ge=1)] | None = 400
    """Number of test rows, a fixed sample, that the base model answers; models are compared with it on this sample.
    Null: all test rows."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Precision of the weights during prediction; bf16 is fast only on GPUs and on processors with avx512_bf16."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Device on which answers are generated."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 2
    """Number of CPU threads; answers are reproducible for the same number."""
    workers: Annotated[int, Field(ge=1)] = 1
    """Number of processes that predict, each with a copy of the model and, on GPUs, with one GPU. Ray starts them, on
    this machine or on the cluster at RAY_ADDRESS. The number does not affect the answers. 1: the process of the stage,
    without Ray; with device gpu and a cluster, one worker of the cluster."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """Library that generates the answers. `vllm` needs GPUs and vLLM installed. Both round differently, so compare only
    models that answered with the same engine."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Confidence level of every interval."""
    bootstrap_samples: Annotated[int, Field(ge=100)] = 2000
    """Number of resamples of a bootstrap interval."""
    seed: int = 17
    """Random seed of the bootstrap and of the base model's sample of rows."""
    price_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.10
    """USD for one hour of a serving machine, which is one worker; used for the cost per 1,000 requests."""

    def uses_ray(self, cluster: bool) -> bool:
        """Return whether Ray workers predict rather than the process of the stage.

        Args:
            cluster: Whether a Ray cluster is configured.
        """
        return self.workers > 1 or (cluster and self.device == "gpu")

    @model_validator(mode="after")
    def _check_label_field(self) -> Self:
        if (self.target == "json") != bool(self.label_field):
            raise ValueError(
                "label_field names a field of a JSON answer: set it with target json, only with target json"
            )
        return self

    @model_validator(mode="after")
    def _check_engine(self) -> Self:
        if self.engine == "vllm" and self.device == "cpu":
            raise ValueError("engine vllm answers on GPUs alone here: set device to gpu, or engine to transformers")
        return self
