"""The one table of training methods; nothing else compares their names.

Another one is a line here, and in `tasks/stages/train/handling.py` how a model is prepared for it and its weights are
written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.core.errors import Refused


@dataclass(frozen=True)
class Form:
    """What a training leaves."""

    folder: str
    """In artefacts/train/."""
    needs_base: bool
    """It is loaded over its base model, which a release then needs kept beside it."""
    library: str
    """That loads it, as the Hugging Face Hub names it."""


ADAPTER = Form(folder="adapter", needs_base=True, library="peft")
WHOLE = Form(folder="model", needs_base=False, library="transformers")
FORMS = (ADAPTER, WHOLE)


@dataclass(frozen=True)
class Method:
    form: Form
    trained: str
    """What it trains of a base model, in words: `a LoRA adapter of`."""
    approaches: tuple[str, ...] = ()
    """Values of `use_case.approach` that want it, or another method that lists them."""
    settings: Mapping[str, int | str | None] = field(default_factory=dict)
    """Parameters of `training` that are its own, each with the value that it has with the other methods."""
    required: tuple[str, ...] = ()
    """Those of its settings that must be given."""
    quantised: bool = False
    """The base model is read in 4 bits a weight (NF4, arXiv:2305.14314), for which bitsandbytes must be installed."""


TEXTS = ("continued_pretraining",)
"""Values of `use_case.approach` that train every token of plain texts, by any of these methods; the others train
answers alone."""

LOW_RANK: Mapping[str, int | str | None] = {
    "lora_rank": None,
    "lora_alpha": None,
    "lora_dropout": 0,
    "lora_variant": "plain",
    "lora_targets": None,
}

METHODS: Mapping[str, Method] = {
    "lora": Method(
        form=ADAPTER,
        trained="a LoRA adapter of",
        approaches=("lora",),
        settings=LOW_RANK,
        required=("lora_rank", "lora_alpha"),
    ),
    "qlora": Method(
        form=ADAPTER,
        trained="a LoRA adapter, over weights in 4 bits, of",
        approaches=("lora",),
        settings=LOW_RANK,
        required=("lora_rank", "lora_alpha"),
        quantised=True,
    ),
    "full": Method(form=WHOLE, trained="all weights of", approaches=("full_fine_tuning",)),
}

if TYPE_CHECKING:
    MethodName = str
else:  # what a type checker cannot read off the table, pydantic can
    MethodName = Literal[*METHODS]


def of(name: str) -> Method:
    """Raises Refused for a method that this version does not know: it is never taken for another one."""
    if name not in METHODS:
        raise Refused(
            f"training method {name!r} is not one that this version of Hallmark knows ({', '.join(METHODS)}); use the "
            "version that trained the model"
        )
    return METHODS[name]


def foreign(name: str) -> dict[str, int | str | None]:
    """Parameters of `training` that belong to other methods alone, each with the value that it has to have."""
    every = {setting: value for method in METHODS.values() for setting, value in method.settings.items()}
    return {setting: value for setting, value in every.items() if setting not in of(name).settings}


def for_approach(approach: str) -> list[str]:
    """The methods that a use case's approach wants; none where it asks for no particular one."""
    return [name for name, method in METHODS.items() if approach in method.approaches]


def left_in(folder: Path) -> Iterator[Form]:
    """The forms whose folder is in artefacts/train/."""
    return (form for form in FORMS if (folder / form.folder).is_dir())
