"""Section `evaluation` of params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import NFC


class Evaluation(FrozenModel):
    """Settings for prediction and metrics."""

    target: Literal["json", "label"] = "json"
    """Format of an answer. `json`: a JSON object with the label in its field `label_field`. `label`: the whole answer
    is the label."""
    label_field: Annotated[str, NFC] | None = None
    """Field of a JSON answer for which macro-F1 and the confusion matrix are computed, for example `intent`."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 64
    """Maximum number of tokens in an answer. Set it somewhat higher than the longest target."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Number of rows in a batch."""
    base_rows: Annotated[int, Field(ge=1)] | None = 400
    """Number of test rows in the fixed sample that the base model answers. Other models are compared with the base
    model on this sample. Null: all test rows."""
    leakage_rows: Annotated[int, Field(ge=0, le=100_000)] | None = 60
    """Number of training rows, and as many test rows, on which leakage of training data is measured: whether training
    rows can be told from test rows, and whether the model continues them word by word. Null or 0: not measured."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Precision of the weights during prediction. bf16 is fast only on GPUs and on processors with avx512_bf16."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Device on which answers are generated."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 2
    """Number of CPU threads. Answers are reproducible only with the same number."""
    workers: Annotated[int, Field(ge=1)] = 1
    """Number of processes that predict, each with its own copy of the model and, on GPUs, its own GPU. Ray starts them
    on this machine or on the cluster at RAY_ADDRESS. The number does not affect the answers. 1: the stage's own process
    predicts, without Ray. If `device` is gpu and a cluster is configured, a worker of the cluster predicts instead."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """Library that generates the answers. `vllm` requires GPUs and an installed vLLM. The two libraries round
    differently, so compare only models whose answers were generated with the same library."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Confidence level of every interval."""
    required_precision: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Required proportion of right answers among those that nobody reviews, for example 0.95. The confidence above
    which answers need no review is chosen on the calibration rows (`data.calibration_share`), so that the precision
    above it is at least this one with the probability `confidence`. Null: no such threshold is chosen."""
    bootstrap_samples: Annotated[int, Field(ge=100)] = 2000
    """Number of resamples for a bootstrap interval."""
    seed: int = 17
    """Random seed of the bootstrap and of the sample of rows that the base model answers."""
    price_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.10
    """Price of a serving machine in USD per hour, used to compute the cost of 1,000 requests. Each worker counts as one
    machine."""

    def uses_ray(self, cluster: bool) -> bool:
        """Return whether Ray workers predict instead of the stage's own process.

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
        if self.engine == "vllm" and self.required_precision is not None:
            raise ValueError(
                "required_precision needs the confidence of answers, which engine vllm does not give here: leave it "
                "out, or set engine to transformers"
            )
        return self
