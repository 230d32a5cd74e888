"""Which model answers: the base model, this run's candidate, or the release in production."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.config import Frozen
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import read_json, tree_digest
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.methods import WHOLE, Form
from tasks.core.params.values import Sha256
from tasks.stages import libraries
from tasks.stages.evaluate.contenders import Which
from tasks.stages.evaluate.decode import Tokens, stop_tokens


class Champion(Frozen):
    """inputs/champion.json, where there is a release in production."""

    release: str
    version: int
    sha256: Sha256
    """`tasks.core.files.tree_digest` of the payload."""
    payload: str
    """The release's payload folder, relative to `.hallmark/`."""


@dataclass(frozen=True)
class Located:
    """Folders in Hugging Face form."""

    base: Path
    tuned: Path | None = None
    """None for the base model itself."""
    form: Form = WHOLE
    """What the tuned model is, as its method says."""

    @property
    def adapter(self) -> Path | None:
        """What is loaded over other weights."""
        return self.tuned if self.form.needs_base else None

    @property
    def weights(self) -> Path:
        """The model itself, or what its adapter is loaded over."""
        return self.base if self.adapter else self.tuned or self.base

    @property
    def tokenizer(self) -> Path:
        """The tuned model's own tokenizer where it has one."""
        if self.tuned is not None and (self.tuned / "tokenizer_config.json").is_file():
            return self.tuned
        return self.base


def locate(layout: Layout, which: Which) -> Located | None:
    """Find the model, or None for a champion that isn't there. Raises Refused for a champion whose bytes changed."""
    base = layout.stage("base_model") / "model"
    if which == "base":
        return Located(base)
    if which == "candidate":
        return _candidate(layout, base)
    champion = read_champion(layout)
    return None if champion is None else _verified(layout, champion, base)


def read_champion(layout: Layout) -> Champion | None:
    """The release in production as resolved before the run, or None."""
    if not layout.champion.is_file():
        raise InputError(
            f"{layout.champion} is missing; `hallmark resolve` writes it (null where there is no champion)"
        )
    value = read_json(layout.champion)
    return None if value is None else Champion.model_validate(value)


def _candidate(layout: Layout, base: Path) -> Located:
    folder = layout.stage("train")
    there = list(methods.left_in(folder))
    if len(there) != 1:
        wanted = " and ".join(str(folder / form.folder) for form in methods.FORMS)
        raise InputError(f"expected one of {wanted}, found {len(there)}; run the stage train")
    return Located(base, folder / there[0].folder, there[0])


def _verified(layout: Layout, champion: Champion, base: Path) -> Located:
    payload = layout.state / champion.payload
    if not payload.is_dir():
        raise Unavailable(f"the champion {champion.release} is not at {payload}; fetch the release, then run again")
    sha256 = tree_digest(payload)
    if sha256 != champion.sha256:
        raise Refused(
            f"the champion {champion.release} has changed: expected SHA-256 {champion.sha256}, found {sha256}. "
            f"Restore {payload} from the release, or roll back to another one; it is not loaded"
        )
    manifest = read_json(payload / "manifest.json")
    form = methods.of(manifest["method"]).form
    if form.needs_base:
        base = _own_base(layout, champion, manifest["stages"]["base_model"])
    return Located(base, payload / "model", form)


def _own_base(layout: Layout, champion: Champion, wanted: str) -> Path:
    """The base model that the champion is an adapter of: this run's, or the one that its promotion kept."""
    if tree_digest(layout.stage("base_model")) == wanted:
        return layout.stage("base_model") / "model"
    kept = layout.base(wanted)
    remedy = f"copy artefacts/base_model there from the run that `hallmark releases show {champion.release}` names"
    if not kept.is_dir():
        raise Unavailable(
            f"the champion {champion.release} is an adapter of another base model than this run's, and that one is "
            f"not at {kept}; {remedy}"
        )
    sha256 = tree_digest(kept)
    if sha256 != wanted:
        raise Refused(
            f"the base model of the champion {champion.release} has changed: expected SHA-256 {wanted}, found "
            f"{sha256}. Remove {kept} and {remedy}; it is not loaded"
        )
    return kept / "model"


@dataclass(frozen=True)
class Manner:
    """How a model is asked, for which nobody needs its weights."""

    tokenizer: Any
    context: int | None
    """Tokens of a prompt with its answer at most; None where nothing says it."""
    stop: frozenset[int]
    """Tokens that end a turn."""

    def fits(self, tokens: Tokens, max_new_tokens: int) -> bool:
        """Prompt and longest answer stand in the model's context."""
        return self.context is None or len(tokens) + max_new_tokens <= self.context


def manner(located: Located) -> Manner:
    _spin_briefly()
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(located.tokenizer, local_files_only=True)
    config = AutoConfig.from_pretrained(located.weights, local_files_only=True)
    try:
        generation = GenerationConfig.from_pretrained(located.weights, local_files_only=True)
    except OSError:  # as transformers does for a model without that file
        generation = GenerationConfig.from_model_config(config)
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    return Manner(tokenizer, context, stop_tokens(generation, tokenizer))


def load(located: Located, settings: Evaluation) -> Any:
    """The model, ready to answer.

    A LoRA adapter is merged into the weights in fp32 and the sum rounded once to the precision of evaluation. Serving
    the adapter unmerged rounds at other places: answers can differ where two tokens are about equally likely.
    """
    _spin_briefly()
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    require_device(settings)
    torch.set_num_threads(settings.threads)
    logging.disable_progress_bar()
    model: Any = AutoModelForCausalLM.from_pretrained(
        located.weights, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    if located.adapter:
        if not getattr(model, "is_quantized", False):
            libraries.hide("bitsandbytes")
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, located.adapter).merge_and_unload()
    libraries.are_loaded()
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[settings.precision]
    return model.to(device={"cpu": "cpu", "gpu": "cuda"}[settings.device], dtype=dtype).eval()


def _spin_briefly() -> None:
    """Threads that wait for each other give up their core soon. Spinning, a busy neighbour slows them many times over.
    Read when torch loads its OpenMP, so it has to stand before."""
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def require_device(settings: Evaluation) -> None:
    """Raises Unavailable without the GPU that is asked for."""
    if settings.device != "gpu":
        return  # PyTorch takes longer to import than whoever asks before a run has
    import torch

    if not torch.cuda.is_available():
        raise Unavailable(
            "evaluation.device is gpu and this machine has none; set it to cpu, or RAY_ADDRESS to a cluster that has "
            "GPUs, or run on another machine"
        )
