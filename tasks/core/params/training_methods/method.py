"""Training method, which trains either an adapter for the base model or all of its weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peft import PeftConfig

LayerShapes = Mapping[str, tuple[int, ...]]
"""Shape [out, in] of each linear layer of the base model, by the name of the layer's weights."""


def module_name(name: str) -> str:
    return name.removesuffix(".weight").rpartition(".")[2]


@dataclass(frozen=True)
class ResultForm:
    folder_name: str
    needs_base: bool
    """Whether the result is loaded on top of its base model, which must then be stored with the release."""
    library_name: str
    """Library that loads the result, as `library_name` in a model card on the Hugging Face Hub."""


ADAPTER = ResultForm(folder_name="adapter", needs_base=True, library_name="peft")
FULL_MODEL = ResultForm(folder_name="model", needs_base=False, library_name="transformers")
RESULT_FORMS = (ADAPTER, FULL_MODEL)


@dataclass(frozen=True)
class Adapter:
    """Adapter that PEFT trains and can merge into the weights of the base model.

    Both functions take the section `training` of params.yaml, and the linear layers of the base model without its
    output head.
    """

    build_config: Callable[[Any, LayerShapes], "PeftConfig"]
    count_weights: Callable[[Any, LayerShapes], int]
    weight_name_part: str
    """Substring that identifies the trained weights: it occurs in all of their names and in no other name."""
    zero_gradient_weight_names: str | None = None
    """Substring that occurs in the names of all trained weights whose gradient is 0 in the first step. None if no
    weights start with a zero gradient."""

    def has_zero_gradient_at_start(self, name: str) -> bool:
        return self.zero_gradient_weight_names is not None and self.zero_gradient_weight_names in name


@dataclass(frozen=True)
class Method:
    summary: str
    trained_part: str
    """Description of the trained part, for example `a LoRA adapter of`. The name of the base model follows it in a
    sentence."""
    adapter: Adapter | None
    """Adapter to train; None to train all weights."""
    approaches: tuple[str, ...] = ()
    """Values of `use_case.approach` that require this method, or another method that lists the same value."""
    own_settings: Mapping[str, int | str | None] = field(default_factory=dict)
    """Parameters of `training` that only this method and similar ones use. Each is given with the value that it must
    have if another method is used."""
    required_settings: tuple[str, ...] = ()
    is_quantised: bool = False
    """Whether the base model is loaded with 4 bits per weight (NF4, arXiv:2305.14314), which requires bitsandbytes."""

    @property
    def result_form(self) -> ResultForm:
        return ADAPTER if self.adapter else FULL_MODEL
