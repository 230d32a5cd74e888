"""Model with its weights in one process: the stage's own process or a Ray worker."""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

from tasks.core.errors import InputError
from tasks.core.params.evaluation import Evaluation
from tasks.stages import import_speed
from tasks.stages.cluster import versions
from tasks.stages.cluster.storage import machine_cache, training_storage, trees
from tasks.stages.cluster.storage.training_storage import TrainingStorage
from tasks.stages.cluster.storage.trees import Tree
from tasks.stages.cluster.versions import LibraryVersions
from tasks.stages.evaluate import models
from tasks.stages.evaluate.decode import Decoder, GeneratedAnswer, StopConditions, Tokens
from tasks.stages.evaluate.inference import target_loss
from tasks.stages.evaluate.inference.target_loss import PromptAndTarget
from tasks.stages.evaluate.inference.vllm_engine import VllmEngine
from tasks.stages.evaluate.models import ModelFolders
from tasks.stages.peak_memory import peak_memory_bytes


@dataclass(frozen=True)
class StoredModel:
    location: str
    """Location of the storage: s3://BUCKET/PREFIX, or a folder that is mounted on all machines."""
    weights: Tree
    adapter: Tree | None


@dataclass(frozen=True)
class ModelSetup:
    """Settings for loading a model in a process. They contain no weights, because Ray sends them to each worker."""

    folders: ModelFolders
    """Folders of the model. They are on a shared disk or, if `stored_model` is set, on the machine that starts the
    stage."""
    settings: Evaluation
    limits: StopConditions
    prefix: Tokens
    max_tokens: int
    """Maximum number of tokens in a prompt and its answer together."""
    versions: LibraryVersions = field(default_factory=versions.installed_versions)
    stored_model: StoredModel | None = None
    """Location of the model in the storage; None if workers read the model from a shared disk."""


class Engine(Protocol):
    def answer(self, prompts: Sequence[Tokens]) -> list[GeneratedAnswer]: ...

    def without_prefix(self) -> Self: ...


class ModelProcess:
    """Model that answers batches of prompts, in the stage's own process or as a Ray actor.

    The model is loaded by `load`, not by the constructor. An actor that waits for a machine can therefore be
    distinguished from an actor that is loading.
    """

    def __init__(self, setup: ModelSetup) -> None:
        self.brief = setup
        self.model: Any = None
        self.engine: Any = None

    def here(self) -> None:
        """Do nothing. The call returns once Ray has started the actor on a machine."""

    def load(self) -> None:
        """Load the model on this machine.

        Raises:
            InputError: The library versions differ from those of the machine that started the stage, or the
                model's folder is not on this machine.
            Unavailable: A GPU is configured, but this machine has none.
            Refused: The storage returned something other than what was stored.
        """
        self.brief.versions.require_installed()
        located = local_folders(self.brief)
        if self.brief.settings.engine == "vllm":
            models.require_device(self.brief.settings)
            self.engine = VllmEngine(located, self.brief.settings, self.brief.limits, self.brief.max_tokens)
            import_speed.restore_garbage_collection()
        else:
            self.use_model(models.load_model(located, self.brief.settings))

    def use_model(self, model: Any) -> None:
        self.model, self.engine = model, Decoder(model, self.brief.prefix, self.brief.limits)

    def answer(self, prompts: Sequence[Tokens]) -> list[GeneratedAnswer]:
        return list(self.engine.answer(prompts))

    def time(self, prompt: Tokens) -> float:
        """Return the time in milliseconds that it takes to answer a single prompt without a cached prefix."""
        engine = self.engine.without_prefix()
        start = time.perf_counter()
        engine.answer([prompt])
        return (time.perf_counter() - start) * 1000

    def foretell(self, windows: Sequence[Tokens]) -> float:
        """Return the total cross-entropy of a text in nats. The first token of each window is not counted."""
        return sum(self._loss(tokens) for tokens in windows)

    def _loss(self, tokens: Tokens) -> float:
        import torch

        with torch.inference_mode():
            line = torch.tensor([tokens], device=self.model.device)
            logits = self.model(line).logits[0, :-1].float()
            return float(torch.nn.functional.cross_entropy(logits, line[0, 1:], reduction="sum"))

    def target_losses(self, batch: Sequence[PromptAndTarget]) -> list[float]:
        """Return the cross-entropy of each target after its prompt, in nats, for targets of one batch."""
        return target_loss.measure_batch(self.model, batch)

    def peak_bytes(self) -> int:
        return peak_memory_bytes(self.brief.settings.device == "gpu")


def local_folders(setup: ModelSetup) -> ModelFolders:
    """Return the folders of the model on this machine, after fetching them from the storage if necessary.

    Raises:
        InputError: The model is expected on a shared disk, but its folder is not on this machine.
        Refused: The storage returned something other than what was stored.
    """
    if setup.stored_model is None:
        for folder in (setup.folders.weights_folder, setup.folders.adapter_folder):
            if folder and not folder.is_dir():
                raise InputError(
                    f"the machine {socket.gethostname()} does not see {folder}: mount .hallmark/ there under the same "
                    f"path, set {training_storage.LOCATION_VARIABLE}, or set evaluation.workers to 1"
                )
        return setup.folders
    machine_cache.remove_unused_folders()
    storage = TrainingStorage(setup.stored_model.location)
    weights = _fetch_tree(storage, setup.stored_model.weights)
    adapter = setup.stored_model.adapter and _fetch_tree(storage, setup.stored_model.adapter)
    return replace(
        setup.folders, base_folder=weights, fine_tuned_folder=adapter or (setup.folders.fine_tuned_folder and weights)
    )


def _fetch_tree(storage: TrainingStorage, tree: Tree) -> Path:
    machine_cache.fetch_tree(storage, trees.SHARED_FOLDER, tree)
    return machine_cache.cached_tree_folder(tree)
