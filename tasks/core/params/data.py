"""Section `data` of params.yaml."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.filters import Filters
from tasks.core.params.values import Share


class NearDuplicates(FrozenModel):
    """Thresholds for near-duplicates and contradictions (stage `deduplicate`).

    A Jaccard similarity of .85 corresponds to one changed letter in 60, or one changed word of five letters in 110.
    """

    jaccard: Annotated[float, Field(ge=0.5, le=1)] = 0.85
    """Jaccard similarity, over windows of five bytes, from which two prompts are near-identical; near-identical prompts
    are never divided between training and test. Prompts that differ only in typing errors and courtesies are
    near-duplicates even at a similarity that is .05 lower. At .85 all 60 near-identical pairs among BANKING77's
    training texts have the same label; at .8, three of 142 pairs have different ones."""
    conflict_jaccard: Annotated[float, Field(ge=0.5, le=1)] | None = 0.95
    """Jaccard similarity from which two prompts with different targets are a contradiction; sources.yaml sets what
    happens to contradictions (`authority`, `contradictions`). Null: contradictions are not detected, for tasks in which
    one prompt has many right answers, such as writing."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.conflict_jaccard is not None and self.conflict_jaccard < self.jaccard:
            raise ValueError(f"conflict_jaccard {self.conflict_jaccard:g} is less than jaccard {self.jaccard:g}")
        return self


class Data(Filters):
    """Cleaning, deduplication and the split."""

    max_malformed_share: Share = 0.05
    """Largest share of rows of one source that cannot be parsed; a source with a larger share stops the run."""
    near_duplicates: NearDuplicates | None = NearDuplicates()
    """Thresholds for near-duplicates. Null: only exact duplicates are removed, and near-identical prompts may occur in
    both training and test."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the prompt groups without a fixed split that is held out for the test."""
    train_rows: Annotated[int, Field(ge=1)] | None = None
    """Number of training rows to keep, sampled evenly over sources and kinds; null: all."""
    test_rows: Annotated[int, Field(ge=1)] | None = None
    """Number of test rows to keep, sampled evenly over sources and kinds; null: all."""
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0
    """Share of the training prompts that are held out for validation, which selects the best weights and decides when
    to stop early. Whole prompt groups are held out, so that no validation prompt is trained in another wording. 0: no
    validation."""
    seed: int = 17
    """Random seed of the split and of the sampling of rows."""
