"""Table of training methods; no other code compares their names.

A new method needs an entry here, and in `tasks/stages/train/method_handlers.py` the preparation of the model and the
writing of its weights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.core.errors import Refused


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
class Method:
    form: ResultForm
    trained_part: str
    """Description of the trained part, followed by the base model's name in a sentence: `a LoRA adapter of`."""
    approaches: tuple[str, ...] = ()
    """Values of `use_case.approach` that require this method or another one that lists the same value."""
    settings: Mapping[str, int | str | None] = field(default_factory=dict)
    """Parameters of `training` that only this method and similar ones use, each with the value that all other methods
    require."""
    required: tuple[str, ...] = ()
    """Names of `settings` that must not be null."""
    quantised: bool = False
    """Whether the base model is loaded with 4 bits per weight (NF4, arXiv:2305.14314), which needs bitsandbytes."""


TEXT_APPROACHES = ("continued_pretraining",)
"""Values of `use_case.approach` for which every token of plain texts is trained, with any method. With the other
approaches only answers are trained."""

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
        trained_part="a LoRA adapter of",
        approaches=("lora",),
        settings=LOW_RANK,
        required=("lora_rank", "lora_alpha"),
    ),
    "qlora": Method(
        form=ADAPTER,
        trained_part="a LoRA adapter, over weights in 4 bits, of",
        approaches=("lora",),
        settings=LOW_RANK,
        required=("lora_rank", "lora_alpha"),
        quantised=True,
    ),
    "full": Method(form=FULL_MODEL, trained_part="all weights of", approaches=("full_fine_tuning",)),
}

if TYPE_CHECKING:
    MethodName = str
else:  # type checkers do not accept the unpacked table, pydantic does
    MethodName = Literal[*METHODS]


def get(name: str) -> Method:
    """Return the training method of that name.

    Raises:
        Refused: This version of Hallmark has no such method.
    """
    if name not in METHODS:
        raise Refused(
            f"training method {name!r} is not one that this version of Hallmark knows ({', '.join(METHODS)}); use the "
            "version that trained the model"
        )
    return METHODS[name]


def other_settings(name: str) -> dict[str, int | str | None]:
    """Return the parameters of `training` that only other methods use, each with the value that it must have here."""
    every = {setting: value for method in METHODS.values() for setting, value in method.settings.items()}
    return {setting: value for setting, value in every.items() if setting not in get(name).settings}


def for_approach(approach: str) -> list[str]:
    """Return the names of the methods that suit an approach of a use case; empty if any method does."""
    return [name for name, method in METHODS.items() if approach in method.approaches]


def forms_in(folder: Path) -> Iterator[ResultForm]:
    """Yield the forms whose folder exists in `folder`, which is artefacts/train/."""
    return (form for form in FORMS if (folder / form.folder).is_dir())
