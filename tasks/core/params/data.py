"""`data` of params.yaml."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks.core.config import Frozen
from tasks.core.params.values import Share


class NearDuplicates(Frozen):
    """Prompts that say the same in nearly the same words (stage `deduplicate`).

    A Jaccard of .85 is one changed letter in 60, or one changed word of five letters in 110.
    """

    jaccard: Annotated[float, Field(ge=0.5, le=1)] = 0.85
    """Prompts are near-identical from this Jaccard of their five-byte windows on, and stand on one side of the split.
    Those in which nothing but slips of typing and courtesies differs are duplicates from .05 below. At .85 all 60
    near-identical pairs among BANKING77's training texts have the same label, at .8 three of 142 have not."""
    conflict_jaccard: Annotated[float, Field(ge=0.5, le=1)] | None = 0.95
    """Prompts that ask the same contradict each other from here on where their targets differ; sources.yaml says what
    becomes of them (`authority`, `contradictions`). Null where one prompt has many right answers, as in writing:
    contradictions are then not looked for."""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.conflict_jaccard is not None and self.conflict_jaccard < self.jaccard:
            raise ValueError(f"conflict_jaccard {self.conflict_jaccard:g} is less than jaccard {self.jaccard:g}")
        return self


class Data(Frozen):
    """Cleaning, deduplication and the split."""

    max_malformed_share: Share = 0.05
    """A source with a larger share of rows that cannot be parsed stops the run."""
    min_prompt_chars: Annotated[int, Field(ge=1)] = 1
    """Shorter conversations are quarantined."""
    max_prompt_chars: Annotated[int, Field(ge=1)] = 4000
    """Longer conversations (all turns before the target) are quarantined."""
    max_target_chars: Annotated[int, Field(ge=1)] = 4000
    """Longer targets are quarantined."""
    near_duplicates: NearDuplicates | None = NearDuplicates()
    """Null: only exact duplicates are taken out, and near-identical prompts may stand on both sides of the split."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the prompt groups without a fixed split that is held out."""
    train_rows: Annotated[int, Field(ge=1)] | None = None
    """Keep this many training rows, drawn evenly over sources and kinds; null keeps all."""
    test_rows: Annotated[int, Field(ge=1)] | None = None
    """Keep this many test rows, drawn likewise; null keeps all."""
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0
    """Share of the training prompts that no step learns from: they say which weights were best and when to stop. Whole
    prompt groups, so that none of them was learnt under another wording; 0: none."""
    seed: int = 17
    """Of the split and of the rows that are drawn."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_prompt_chars > self.max_prompt_chars:
            raise ValueError(
                f"min_prompt_chars {self.min_prompt_chars} exceeds max_prompt_chars {self.max_prompt_chars}"
            )
        return self
