"""File that lists the base models to compare."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.params.base_model import BaseModelParams
from tasks.core.params.values import Name, NonEmptyText


class ListedBaseModel(BaseModelParams):
    """Base model to compare.

    An entry has the keys of section `base_model` in params.yaml, a name, and declarations about the model's use.
    """

    name: Annotated[Name, Field(max_length=40)]
    """Name of the base model in tables and charts."""
    provider: NonEmptyText | None = None
    """Company that would serve the model; null if it would run on your own machines."""
    region: NonEmptyText | None = None
    """Region in which the provider would serve the model, for example `eu`."""
    usage_policy: NonEmptyText | None = None
    """Uses that the licence or the provider forbids, as free text."""
    lock_in: NonEmptyText | None = None
    """Effort of switching to another model later, as free text."""

    @property
    def base_model_params(self) -> BaseModelParams:
        """Section `base_model` of params.yaml for this base model."""
        return BaseModelParams.model_validate(self.model_dump(include=set(BaseModelParams.model_fields)))

    @model_validator(mode="after")
    def _require_provider_with_region(self) -> Self:
        if bool(self.provider) != bool(self.region):
            raise ValueError("provider and region go together: data goes to somebody, and somewhere")
        return self


class BaseModelFile(FrozenModel):
    """Content of the file that lists the base models to compare."""

    bases: list[ListedBaseModel]
    """Base models to compare, at least two."""

    @model_validator(mode="after")
    def _require_distinct_names(self) -> Self:
        names = [each.name for each in self.bases]
        if len(names) < 2:
            raise ValueError(f"bases: expected two or more, got {len(names)}; add what it is to be compared with")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"bases: {', '.join(twice)} stands there twice; give each a name of its own")
        return self


def load_base_models(path: Path) -> list[ListedBaseModel]:
    """Load the base models that a file lists.

    Raises:
        InputError: The file is not valid; the message lists all errors with their lines.
    """
    return config.load_settings(path, BaseModelFile).bases
