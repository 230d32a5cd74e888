"""Training method: an adapter of PEFT beside the base model, or all weights of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peft import PeftConfig

Shapes = Mapping[str, tuple[int, ...]]
"""Shape [out, in] of each linear layer of the base model, by the name of its weights."""


def module_name(name: str) -> str:
    return name.removesuffix(".weight").rpartition(".")[2]


@dataclass(frozen=True)
class ResultForm:
    folder: str
    needs_base: bool
    """Whether the result is loaded on top of its base model, which then has to be stored with the release."""
    library: str
    """Library that loads the result: `library_name` of a model card on the Hugging Face Hub."""


ADAPTER = ResultForm(folder="adapter", needs_base=True, library="peft")
FULL_MODEL = ResultForm(folder="model", needs_base=False, library="transformers")
FORMS = (ADAPTER, FULL_MODEL)


@dataclass(frozen=True)
class Adapter:
    """Adapter that PEFT trains and can merge into the weights of the base model.

    The first argument of both functions is section `training` of the parameters.
    """

    config: Callable[[Any], "PeftConfig"]
    count_weights: Callable[[Any, Shapes], int]
    weight_names: str
    """Substring of the names of the trained weights, which occurs in no other name."""
    idle_weight_names: str | None = None
    """Substring of the names of the trained weights whose gradient is 0 in the first step; None if there are none."""

    def starts_idle(self, name: str) -> bool:
        return self.idle_weight_names is not None and self.idle_weight_names in name


@dataclass(frozen=True)
class Method:
    summary: str
    trained_part: str
    """Description of the trained part, before the base model's name in a sentence, for example `a LoRA adapter of`."""
    adapter: Adapter | None
    """Adapter to train; None to train all weights."""
    approaches: tuple[str, ...] = ()
    """Values of `use_case.approach` that require this method or another one that lists the same value."""
    settings: Mapping[str, int | str | None] = field(default_factory=dict)
    """Parameters of `training` that only this method and similar ones use, each with the value that all other methods
    require."""
    required: tuple[str, ...] = ()
    quantised: bool = False
    """Whether the base model is loaded with 4 bits per weight (NF4, arXiv:2305.14314), which needs bitsandbytes."""

    @property
    def form(self) -> ResultForm:
        return ADAPTER if self.adapter else FULL_MODEL
