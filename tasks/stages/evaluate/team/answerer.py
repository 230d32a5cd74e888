"""A model with its weights, ready to answer: in the stage's own process, or on a worker of Ray's."""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

from tasks.core.errors import InputError
from tasks.core.params.evaluation import Evaluation
from tasks.stages import libraries
from tasks.stages.cluster import versions
from tasks.stages.cluster.storage import node, place, trees
from tasks.stages.cluster.storage.place import Place
from tasks.stages.cluster.storage.trees import Tree
from tasks.stages.cluster.versions import Versions
from tasks.stages.evaluate import models
from tasks.stages.evaluate.decode import Decoder, Generated, Limits, Tokens
from tasks.stages.evaluate.models import Located
from tasks.stages.evaluate.team.vllm_engine import VllmEngine
from tasks.stages.peak_memory import peak_bytes


@dataclass(frozen=True)
class Afar:
    """Of a model for machines that have no disk in common."""

    place: str
    """The storage: s3://BUCKET/PREFIX, or a folder that all of them mount."""
    weights: Tree
    adapter: Tree | None


@dataclass(frozen=True)
class Brief:
    """What an answerer needs. Small: workers are sent it."""

    located: Located
    """On a disk that all workers see, or, with `afar`, on that of the machine that starts the stage."""
    settings: Evaluation
    limits: Limits
    prefix: Tokens
    """What all prompts begin with."""
    longest: int
    """Tokens of a prompt with its answer at most."""
    versions: Versions = field(default_factory=versions.of_here)
    """Of the machine that starts the stage."""
    afar: Afar | None = None


class Engine(Protocol):
    def answer(self, prompts: Sequence[Tokens]) -> list[Generated]: ...

    def fresh(self) -> Self:
        """One that reads the next prompt whole."""
        ...


class Answerer:
    """As an actor of Ray it is there before it loads anything, so that whoever waits for it learns of its place."""

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.model: Any = None
        self.engine: Any = None

    def here(self) -> None:
        """Answers at once."""

    def load(self) -> None:
        """Raises InputError where this machine has other versions of libraries, Unavailable without its GPU."""
        self.brief.versions.require_here()
        located = arrived(self.brief)
        if self.brief.settings.engine == "vllm":
            models.require_device(self.brief.settings)
            self.engine = VllmEngine(located, self.brief.settings, self.brief.limits, self.brief.longest)
            libraries.are_loaded()
        else:
            self.take(models.load(located, self.brief.settings))

    def take(self, model: Any) -> None:
        """Answer with a model of transformers."""
        self.model, self.engine = model, Decoder(model, self.brief.prefix, self.brief.limits)

    def answer(self, prompts: Sequence[Tokens]) -> list[Generated]:
        """A batch."""
        return list(self.engine.answer(prompts))

    def time(self, prompt: Tokens) -> float:
        """Milliseconds that it takes alone, and read whole."""
        engine = self.engine.fresh()
        start = time.perf_counter()
        engine.answer([prompt])
        return (time.perf_counter() - start) * 1000

    def foretell(self, windows: Sequence[Tokens]) -> float:
        """The summed cross-entropy of a text in nats, of each window but its first token."""
        return sum(self._loss(tokens) for tokens in windows)

    def _loss(self, tokens: Tokens) -> float:
        import torch

        with torch.inference_mode():
            line = torch.tensor([tokens], device=self.model.device)
            logits = self.model(line).logits[0, :-1].float()
            return float(torch.nn.functional.cross_entropy(logits, line[0, 1:], reduction="sum"))

    def peak_bytes(self) -> int:
        return peak_bytes(self.brief.settings.device == "gpu")


def arrived(brief: Brief) -> Located:
    """The model on this machine.

    Raises InputError where it is not to be seen, Refused where the storage gives something else than was stored."""
    if brief.afar is None:
        for folder in (brief.located.weights, brief.located.adapter):
            if folder and not folder.is_dir():
                raise InputError(
                    f"the machine {socket.gethostname()} does not see {folder}: mount .hallmark/ there under the same "
                    f"path, set {place.SETTING}, or set evaluation.workers to 1"
                )
        return brief.located
    node.sweep()
    storage = Place(brief.afar.place)
    weights = _fetched(storage, brief.afar.weights)
    adapter = brief.afar.adapter and _fetched(storage, brief.afar.adapter)
    return replace(brief.located, base=weights, tuned=adapter or (brief.located.tuned and weights))


def _fetched(storage: Place, tree: Tree) -> Path:
    node.fetch(storage, trees.SHARED, tree)
    return node.place_of(tree)
