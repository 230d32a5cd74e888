"""Location and loading of the model that answers: the base model, this run's candidate or the champion."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import read_json, tree_digest
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.training_methods.method import FULL_MODEL, RESULT_FORMS, ResultForm
from tasks.core.params.values import Sha256
from tasks.core.payload.inference_config import TORCH_DTYPES
from tasks.stages import import_speed
from tasks.stages.evaluate.decode import Tokens, find_stop_tokens
from tasks.stages.evaluate.model_names import ModelName


class Champion(FrozenModel):
    """Contents of inputs/champion.json if a release is in production."""

    release: str
    version: int
    sha256: Sha256
    """Digest of the payload (`tasks.core.files.tree_digest`)."""
    payload: str
    """Path of the release's payload, relative to `.hallmark/`."""


@dataclass(frozen=True)
class ModelFolders:
    base_folder: Path
    fine_tuned_folder: Path | None = None
    """Folder of the fine-tuned model or adapter; None for the base model itself."""
    form: ResultForm = FULL_MODEL
    """Form of the fine-tuned model: adapter or full model, depending on the training method."""

    @property
    def adapter_folder(self) -> Path | None:
        return self.fine_tuned_folder if self.form.needs_base else None

    @property
    def weights_folder(self) -> Path:
        """Return the folder of the full weights. For an adapter, these are the weights of the base model."""
        return self.base_folder if self.adapter_folder else self.fine_tuned_folder or self.base_folder

    @property
    def tokenizer_folder(self) -> Path:
        if self.fine_tuned_folder is not None and (self.fine_tuned_folder / "tokenizer_config.json").is_file():
            return self.fine_tuned_folder
        return self.base_folder


def locate_model(layout: Layout, model_name: ModelName) -> ModelFolders | None:
    """Return the folders of a model; None for the champion if there is no champion.

    Raises:
        InputError: The stage `train` wrote no candidate, or inputs/champion.json is missing.
        Unavailable: The champion's payload or its base model is not on this machine.
        Refused: A file of the champion or of its base model was changed.
    """
    base = layout.artefacts("base_model") / "model"
    if model_name == "base":
        return ModelFolders(base)
    if model_name == "candidate":
        return _locate_candidate(layout, base)
    champion = read_champion(layout)
    return None if champion is None else _locate_champion(layout, champion, base)


def read_champion(layout: Layout) -> Champion | None:
    """Return the release that was in production when the inputs of the run were resolved; None if there was none.

    Raises:
        InputError: inputs/champion.json is missing.
    """
    if not layout.champion_path.is_file():
        raise InputError(
            f"{layout.champion_path} is missing; `hallmark resolve` writes it (null where there is no champion)"
        )
    value = read_json(layout.champion_path)
    return None if value is None else Champion.model_validate(value)


def _locate_candidate(layout: Layout, base: Path) -> ModelFolders:
    folder = layout.artefacts("train")
    result_forms = list(methods.find_result_forms(folder))
    if len(result_forms) != 1:
        wanted = " and ".join(str(folder / form.folder_name) for form in RESULT_FORMS)
        raise InputError(f"expected one of {wanted}, found {len(result_forms)}; run the stage train")
    return ModelFolders(base, folder / result_forms[0].folder_name, result_forms[0])


def _locate_champion(layout: Layout, champion: Champion, base: Path) -> ModelFolders:
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
    form = methods.get_method(manifest["method"]).result_form
    if form.needs_base:
        base = _champion_base_model(layout, champion, manifest["stages"]["base_model"])
    return ModelFolders(base, payload / "model", form)


def _champion_base_model(layout: Layout, champion: Champion, base_model_sha256: str) -> Path:
    """Return the folder of the base model for a champion that is an adapter.

    If the run has the same base model, it is the folder of the run. Otherwise, it is the copy that was stored when the
    champion was promoted.
    """
    if tree_digest(layout.artefacts("base_model")) == base_model_sha256:
        return layout.artefacts("base_model") / "model"
    kept = layout.base_model_folder(base_model_sha256)
    remedy = f"copy artefacts/base_model there from the run that `hallmark releases show {champion.release}` names"
    if not kept.is_dir():
        raise Unavailable(
            f"the champion {champion.release} is an adapter of another base model than this run's, and that one is not "
            f"at {kept}; {remedy}"
        )
    sha256 = tree_digest(kept)
    if sha256 != base_model_sha256:
        raise Refused(
            f"the base model of the champion {champion.release} has changed: "
            f"expected SHA-256 {base_model_sha256}, found {sha256}. Remove {kept} and {remedy}; it is not loaded"
        )
    return kept / "model"


@dataclass(frozen=True)
class PromptLimits:
    """Tokenizer, context length and stop tokens of a model. They are read without loading the model's weights."""

    tokenizer: Any
    context_tokens: int | None
    """Maximum number of tokens in a prompt and its answer together; None if the model's configuration sets no
    maximum."""
    stop_tokens: frozenset[int]

    def fits(self, tokens: Tokens, max_new_tokens: int) -> bool:
        return self.context_tokens is None or len(tokens) + max_new_tokens <= self.context_tokens


def read_prompt_limits(folders: ModelFolders) -> PromptLimits:
    _limit_openmp_spinning()
    import_speed.hide_scipy()
    silence_libraries()
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(folders.tokenizer_folder, local_files_only=True)
    config = AutoConfig.from_pretrained(folders.weights_folder, local_files_only=True)
    try:
        generation = GenerationConfig.from_pretrained(folders.weights_folder, local_files_only=True)
    except OSError:  # the model has no such file; transformers falls back likewise
        generation = GenerationConfig.from_model_config(config)
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    return PromptLimits(tokenizer, context, find_stop_tokens(generation, tokenizer))


def load_model(folders: ModelFolders, settings: Evaluation) -> Any:
    """Load a model for inference, on the device and with the threads of an evaluation.

    Raises:
        Unavailable: A GPU is configured, but this machine has none.
    """
    _limit_openmp_spinning()
    import torch

    require_device(settings)
    torch.set_num_threads(settings.threads)
    model = load_weights(folders, TORCH_DTYPES[settings.precision])
    return model.to({"cpu": "cpu", "gpu": "cuda"}[settings.device])


def load_weights(folders: ModelFolders, dtype: Literal["float32", "bfloat16"]) -> Any:
    """Load a model for inference on the CPU. Stage `predict`, the gateway and the Python package load it alike.

    An adapter is merged into the weights in fp32, and the result is rounded once to `dtype`. If an adapter is served
    unmerged, rounding is different. Answers can then differ where two tokens are about equally likely.
    """
    import_speed.hide_scipy()
    silence_libraries()
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(
        folders.weights_folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    if folders.adapter_folder:
        if not getattr(model, "is_quantized", False):
            import_speed.hide_libraries("bitsandbytes")
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, folders.adapter_folder).merge_and_unload()
    import_speed.restore_garbage_collection()
    return model.to(dtype=getattr(torch, dtype)).eval()


def silence_libraries() -> None:
    """Stop the messages that transformers, PEFT and DeepSpeed print while they load a model, and their progress bars.

    The function must be called before transformers loads a model, because it then imports DeepSpeed, which warns that
    there is no GPU.
    """
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    from transformers.utils import logging

    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)


def _limit_openmp_spinning() -> None:
    """Make idle OpenMP threads release their core quickly, because spinning threads severely slow down other processes.

    The function must be called before torch is imported, because OpenMP reads the environment variable when it is
    loaded.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def require_device(settings: Evaluation) -> None:
    """Verify that this machine has a GPU if `evaluation.device` is `gpu`.

    Raises:
        Unavailable: This machine has no GPU.
    """
    if settings.device != "gpu":
        return  # importing PyTorch would take too long for the checks before a run
    import torch

    if not torch.cuda.is_available():
        raise Unavailable(
            "evaluation.device is gpu and this machine has none; set it to cpu, or RAY_ADDRESS to a cluster that has "
            "GPUs, or run on another machine"
        )
