"""`prompts` of params.yaml."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks.core.config import Frozen
from tasks.core.params.values import Name


class Prompt(Frozen):
    """How a task's records are put to the model."""

    system: str = ""
    """System turn before the record's own turns; empty for none."""
    text_window: Annotated[int, Field(ge=16, le=1_000_000)] | None = None
    """For continued pretraining: the task's records are plain texts (`text` of their source's mapping), and every
    token of them is trained, in windows of at most so many tokens. Null: they are conversations, and their last turn is
    trained."""

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.text_window is not None and self.system:
            raise ValueError("a text has no system turn: leave out system, or text_window")
        return self


Prompts = Annotated[dict[Name, Prompt], Field(min_length=1)]
"""By task."""
