"""Table of training methods. Other code reads this table instead of comparing the names of methods.

A new method needs a file in `training_methods/` and a line here. If it has parameters of its own, they are fields in
`training.py`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.core.errors import Refused
from tasks.core.params.training_methods import full, lora
from tasks.core.params.training_methods.method import RESULT_FORMS, Method, ResultForm

TEXT_APPROACHES = ("continued_pretraining",)
"""Values of `use_case.approach` for which the model is trained on every token of plain texts. They work with any
training method. With the other approaches, the model is trained only on answers."""

METHODS: Mapping[str, Method] = {
    "lora": lora.LORA,
    "qlora": lora.QLORA,
    "full": full.FULL,
}

if TYPE_CHECKING:
    MethodName = str
else:  # type checkers do not accept the unpacked table, pydantic does
    MethodName = Literal[*METHODS]


def method_description() -> str:
    return " ".join(["Training method.", *(f"`{name}`: {method.summary}." for name, method in METHODS.items())])


def get_method(name: str) -> Method:
    """Return the training method with the given name.

    Raises:
        Refused: This version of Hallmark does not have the method.
    """
    if name not in METHODS:
        raise Refused(
            f"training method {name!r} is not one that this version of Hallmark knows ({', '.join(METHODS)}); use the "
            "version that trained the model"
        )
    return METHODS[name]


def required_unused_settings(name: str) -> dict[str, int | str | None]:
    """Return the `training` parameters that a method does not use, each with the value that it must then have."""
    every = {setting: value for method in METHODS.values() for setting, value in method.own_settings.items()}
    return {setting: value for setting, value in every.items() if setting not in get_method(name).own_settings}


def methods_for_approach(approach: str) -> list[str]:
    """Return the names of the methods that a value of `use_case.approach` requires.

    The list is empty if the approach does not require any particular method.
    """
    return [name for name, method in METHODS.items() if approach in method.approaches]


def find_result_forms(folder: Path) -> Iterator[ResultForm]:
    return (form for form in RESULT_FORMS if (folder / form.folder_name).is_dir())
