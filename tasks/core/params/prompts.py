"""Section `prompts` of params.yaml."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Name


class Prompt(FrozenModel):
    """Format in which the records of a task are presented to the model."""

    system: str = ""
    """System turn that is placed before the turns of each record; empty if there is none."""
    text_window: Annotated[int, Field(ge=16, le=1_000_000)] | None = None
    """Maximum number of tokens in a window of text, for continued pretraining. If it is set, the task's records are
    plain texts (`text` in the mapping of their source), and the model is trained on every token. Null: the records are
    conversations, and the model is trained only on the last turn of each."""

    @model_validator(mode="after")
    def _check_system(self) -> Self:
        if self.text_window is not None and self.system:
            raise ValueError("a text has no system turn: leave out system, or text_window")
        return self


Prompts = Annotated[dict[Name, Prompt], Field(min_length=1)]
