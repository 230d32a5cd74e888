"""`prompts` of params.yaml."""

from typing import Annotated

from pydantic import Field

from tasks.core.config import Frozen
from tasks.core.params.values import Name


class Prompt(Frozen):
    """How a task's records are put to the model."""

    system: str = ""
    """System turn before the record's own turns; empty for none."""


Prompts = Annotated[dict[Name, Prompt], Field(min_length=1)]
"""By task."""
