"""Table of training methods; no other code compares their names.

A new method is a file in `training_methods/` and a line here. Its own parameters, if it has any, are fields of
`training.py`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.core.errors import Refused
from tasks.core.params.training_methods import full, lora
from tasks.core.params.training_methods.method import FORMS, Method, ResultForm

TEXT_APPROACHES = ("continued_pretraining",)
"""Values of `use_case.approach` for which the model is trained on every token of plain texts, with any method. For the
other approaches it is trained only on answers."""

METHODS: Mapping[str, Method] = {
    "lora": lora.LORA,
    "qlora": lora.QLORA,
    "full": full.FULL,
}

if TYPE_CHECKING:
    MethodName = str
else:  # type checkers do not accept the unpacked table, pydantic does
    MethodName = Literal[*METHODS]


def description() -> str:
    return " ".join(["Training method.", *(f"`{name}`: {method.summary}." for name, method in METHODS.items())])


def get(name: str) -> Method:
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


def other_settings(name: str) -> dict[str, int | str | None]:
    """Return the `training` parameters that the given method does not use, with the values that they must be set to."""
    every = {setting: value for method in METHODS.values() for setting, value in method.settings.items()}
    return {setting: value for setting, value in every.items() if setting not in get(name).settings}


def for_approach(approach: str) -> list[str]:
    """Return the names of the methods that suit a value of `use_case.approach`; an empty list if any method does."""
    return [name for name, method in METHODS.items() if approach in method.approaches]


def forms_in(folder: Path) -> Iterator[ResultForm]:
    return (form for form in FORMS if (folder / form.folder).is_dir())
