"""Section `data` of params.yaml."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.coverage import CoverageRule
from tasks.core.params.filters import RecordFilters
from tasks.core.params.values import Share

JACCARD_MARGIN = 0.05
"""Margin below the Jaccard threshold within which pairs are still compared for typos.

A single typo in a short text can lower the Jaccard similarity by this much. Of 304 mistyped texts of BANKING77, 84 %
have a Jaccard similarity above .85, and all have one above .8.
"""

CONFLICT_JACCARD = 0.8
ADDED_LATER = ("coverage", "canaries", "calibration_share")


def _least_compared(jaccard: float) -> float:
    return round(jaccard - JACCARD_MARGIN, 9)


class NearDuplicates(FrozenModel):
    """Thresholds for near-duplicates and contradictions (stage `deduplicate`).

    A Jaccard similarity of .85 corresponds to one changed letter in 60, or to one changed five-letter word in 110.
    """

    jaccard: Annotated[float, Field(ge=0.5, le=1)] = 0.85
    """Minimum Jaccard similarity, computed over shingles of five bytes, at which two prompts are near-identical.
    Near-identical prompts are never divided between training and test. Prompts that differ only in typing errors and
    courtesy phrases are near-duplicates even at a similarity that is .05 lower, and at any similarity if they have up
    to 160 characters. Measured on BANKING77's training texts: at .85 all 60 near-identical pairs have the same label;
    at .8 three of 142 pairs have different labels."""
    conflict_jaccard: Annotated[float, Field(ge=0.5, le=1)] | None = Field(
        default_factory=lambda fields: max(CONFLICT_JACCARD, _least_compared(fields.get("jaccard", 1)))
    )
    """Minimum Jaccard similarity at which two prompts that differ only in typing errors and courtesy phrases, and have
    different targets, are a contradiction. Prompts of up to 160 characters whose only difference is one or two mistyped
    words are a contradiction at any similarity. The value is at least `jaccard` less .05. The default is .8, or the
    least value allowed if that is higher. `authority` and `contradictions` in sources.yaml determine how contradictions
    are resolved. Null: contradictions are not detected, for tasks in which a prompt has many right answers, such as
    writing."""
    paraphrase_pairs: Annotated[int, Field(ge=1, le=10_000)] | None = 100
    """Maximum number of pairs of prompts that may ask the same in other words, and have different targets, that are
    shown to the owners of their sources (`hallmark data conflicts --paraphrased --as ID`). Both records stay, whatever
    the sources say. The pairs most alike come first. Null: none are looked for, and none are if `conflict_jaccard` is
    null."""

    @property
    def paraphrase_limit(self) -> int | None:
        """Maximum number of pairs of paraphrases to show; None if none are looked for."""
        return self.paraphrase_pairs if self.conflict_jaccard is not None else None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        least = _least_compared(self.jaccard)
        if self.conflict_jaccard is not None and self.conflict_jaccard < least:
            raise ValueError(
                f"conflict_jaccard {self.conflict_jaccard:g} is less than {least:g}, which is jaccard {self.jaccard:g} "
                f"less {JACCARD_MARGIN:g}: prompts that are less alike are not compared"
            )
        return self


class Data(RecordFilters):
    """Settings for cleaning, deduplication and the split."""

    max_malformed_share: Share = 0.05
    """Maximum fraction of a source's rows that may be malformed. The run stops if more rows cannot be parsed."""
    near_duplicates: NearDuplicates | None = NearDuplicates()
    """Thresholds for near-duplicates. Null: only exact duplicates are removed, and near-identical prompts can occur in
    both training and test."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Fraction of the prompt groups to hold out for the test. Groups whose source prescribes a partition are not
    counted."""
    train_rows: Annotated[int, Field(ge=1)] | None = None
    """Number of training rows to keep, sampled evenly over sources and kinds of answers. Null: all rows."""
    test_rows: Annotated[int, Field(ge=1)] | None = None
    """Number of test rows to keep, sampled evenly over sources and kinds of answers. Null: all rows."""
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0
    """Fraction of the training prompts to hold out for validation. Validation selects the best weights and decides when
    to stop early. Whole prompt groups are held out, so that no training prompt is a variant of a validation prompt. 0:
    no validation."""
    calibration_share: Annotated[float, Field(ge=0, lt=1)] = 0
    """Fraction of the training prompts to set aside for the confidence of answers. The candidate answers these rows
    before the test rows, and the confidence above which an answer needs no review is chosen by them
    (`evaluation.required_precision`). No training step uses them, and they are not validation rows. Whole prompt groups
    are set aside. 0: no such rows."""
    untrained_labels: Literal["keep", "quarantine"] = "keep"
    """Treatment of test records whose label no training record has, as happens with a class of a few rows. `keep`: they
    are tested, and the data gate counts their labels in `split.labels_only_in_test`. `quarantine`: they are left out of
    the test by rule `label_not_trained`, before `test_rows` are drawn."""
    canaries: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Number of canaries: made-up records with a random secret that are trained beside the training rows, so that
    evaluation can measure what the model memorises (`leakage.canary_p`). 0: none."""
    seed: int = 17
    """Random seed of the split and of the sampling of rows."""
    coverage: list[CoverageRule] = []
    """Required shares of refusals, handovers and questions back, by task and segment. The data gate judges them on the
    training and the test records (`coverage.gaps`)."""

    @model_validator(mode="after")
    def _check_coverage(self) -> Self:
        names = [rule.name for rule in self.coverage]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"coverage: give each task, kind and field once; twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _check_set_aside(self) -> Self:
        if self.validation_share + self.calibration_share >= 1:
            raise ValueError(
                f"validation_share {self.validation_share:g} and calibration_share {self.calibration_share:g} leave no "
                "row to train on: lower them, so that their sum is below 1"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out unused settings of newer versions, so that everything made of this section stays the same."""
        stated: dict[str, Any] = handler(self)
        return {name: value for name, value in stated.items() if name not in ADDED_LATER or value}
