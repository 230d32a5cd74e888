"""Training method: an adapter of PEFT beside the base model, or all weights of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peft import PeftConfig

Shapes = Mapping[str, tuple[int, ...]]
"""Shape [out, in] of each linear layer of the base model, by the name of its weights."""


def module_name(name: str) -> str:
    """Return the name of the module that a weight belongs to, for example `q_proj`."""
    return name.removesuffix(".weight").rpartition(".")[2]


@dataclass(frozen=True)
class ResultForm:
    """Form of a training's result: an adapter or a whole model."""

    folder: str
    """Name of its folder in artefacts/train/."""
    needs_base: bool
    """Whether it is loaded on top of its base model, which then has to be stored with the release."""
    library: str
    """Library that loads it, as `library_name` of a model card on the Hugging Face Hub."""


ADAPTER = ResultForm(folder="adapter", needs_base=True, library="peft")
FULL_MODEL = ResultForm(folder="model", needs_base=False, library="transformers")
FORMS = (ADAPTER, FULL_MODEL)


@dataclass(frozen=True)
class Adapter:
    """Adapter that PEFT trains and can merge into the weights of the base model.

    Both functions get section `training` of the parameters.
    """

    config: Callable[[Any], "PeftConfig"]
    """Function that returns PEFT's settings."""
    count_weights: Callable[[Any, Shapes], int]
    """Function that returns the number of weights that are trained."""
    weight_names: str
    """Part of the names of the trained weights, which no other weight has in its name."""
    idle_weight_names: str | None = None
    """Part of the names of the trained weights whose gradient is 0 in the first step; None if there are none."""

    def starts_idle(self, name: str) -> bool:
        """Return whether the weight of that name has a gradient of 0 in the first step."""
        return self.idle_weight_names is not None and self.idle_weight_names in name


@dataclass(frozen=True)
class Method:
    summary: str
    """Description of the method, for the documentation of `training.method`."""
    trained_part: str
    """Description of the trained part, followed by the base model's name in a sentence: `a LoRA adapter of`."""
    adapter: Adapter | None
    """Adapter to train; None to train all weights."""
    approaches: tuple[str, ...] = ()
    """Values of `use_case.approach` that require this method or another one that lists the same value."""
    settings: Mapping[str, int | str | None] = field(default_factory=dict)
    """Parameters of `training` that only this method and similar ones use, each with the value that all other methods
    require."""
    required: tuple[str, ...] = ()
    """Names of `settings` that must not be null."""
    quantised: bool = False
    """Whether the base model is loaded with 4 bits per weight (NF4, arXiv:2305.14314), which needs bitsandbytes."""

    @property
    def form(self) -> ResultForm:
        return ADAPTER if self.adapter else FULL_MODEL
