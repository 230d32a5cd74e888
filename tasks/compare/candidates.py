"""The base models to compare, as their file lists them."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks.core import config
from tasks.core.config import Frozen
from tasks.core.params.base_model import BaseModelParams
from tasks.core.params.values import Name, Text


class Candidate(BaseModelParams):
    """A base model: the keys of `base_model` in params.yaml, a name, and what is declared of its use."""

    name: Annotated[Name, Field(max_length=40)]
    """As tables and pictures call it."""
    provider: Text | None = None
    """Who answers requests, where it would be asked at somebody else's; null: this machine, or one of your own."""
    region: Text | None = None
    """Where the provider answers, e.g. eu."""
    usage_policy: Text | None = None
    """What the licence or the provider forbids to use it for, in words."""
    lock_in: Text | None = None
    """What would have to change to leave it, in words."""

    @property
    def base(self) -> BaseModelParams:
        """As params.yaml would have it."""
        return BaseModelParams.model_validate(self.model_dump(include=set(BaseModelParams.model_fields)))

    @model_validator(mode="after")
    def _answered_somewhere(self) -> Self:
        if bool(self.provider) != bool(self.region):
            raise ValueError("provider and region go together: data goes to somebody, and somewhere")
        return self


class Bases(Frozen):
    """The file."""

    bases: list[Candidate]
    """Two or more."""

    @model_validator(mode="after")
    def _several(self) -> Self:
        names = [each.name for each in self.bases]
        if len(names) < 2:
            raise ValueError(f"bases: expected two or more, got {len(names)}; add what it is to be compared with")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"bases: {', '.join(twice)} stands there twice; give each a name of its own")
        return self


def load(path: Path) -> list[Candidate]:
    """Raises InputError with every mistake of the file and its line."""
    return config.load(path, Bases).bases
