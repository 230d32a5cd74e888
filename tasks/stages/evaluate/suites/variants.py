"""Variants of test rows: the part of a suite that derives cases from the rows of a run."""

import hashlib
from collections.abc import Iterator, Sequence
from random import Random
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import NFC, AnswerKind, Name, NonEmptyText
from tasks.stages.evaluate.suites.transforms import TRANSFORMS, apply_transform

TEXT_FIELD = "{text}"
PHRASE_FIELD = "{phrase}"
ORIGINAL = "original"
"""Name of the case with a row's own text, which the other variants of the row are compared with."""


def _known_transform(value: str) -> str:
    if value not in TRANSFORMS:
        raise ValueError(f"expected one of {', '.join(TRANSFORMS)}, got {value!r}")
    return value


def _with_text_field(value: str) -> str:
    if value.count(TEXT_FIELD) != 1:
        raise ValueError(f"expected a text with {TEXT_FIELD} once, where the row's own text stands, got {value!r}")
    return value


class Variant(FrozenModel):
    """Change of a row's last user turn."""

    name: Name
    """Name of the variant, unique in its suite."""
    transform: Annotated[str, AfterValidator(_known_transform)] | None = None
    """Transform of the text; null for none."""
    text: Annotated[str, Field(max_length=100_000), NFC, AfterValidator(_with_text_field)] = TEXT_FIELD
    """Text with `{text}` where the row's own text stands, after its transform. If it has `{phrase}` too, the variant is
    asked with each training phrase."""
    slices: dict[Name, NonEmptyText] = {}
    """Groups that cases of this variant belong to, for example `gender: female`."""

    def apply(self, text: str, seed: str) -> str:
        random = Random(hashlib.sha256(f"{seed}:{self.name}".encode()).digest())
        changed = apply_transform(self.transform, text, random) if self.transform else text
        return self.text.replace(TEXT_FIELD, changed)


class DerivedCases(FrozenModel):
    """Cases that are derived from the test rows of a run: each variant of each drawn row is a case."""

    rows: Annotated[int, Field(ge=1, le=10_000)]
    """Number of test rows that are drawn. A row is drawn evenly over sources, kinds, languages and departments."""
    kinds: list[AnswerKind] = []
    """Kinds of the rows that are drawn; empty for all."""
    variants: Annotated[list[Variant], Field(min_length=1)]
    """Variants of each row."""
    compare_with: Literal["original", "first_variant"] = "original"
    """Text whose answer by the same model a judge compares with: the row's own text, or the first variant."""
    training_phrases: Annotated[int, Field(ge=1, le=200)] | None = None
    """Number of phrases of training rows that are put into variants with `{phrase}`. They are those that go with one
    label although the other words of their rows do not, as a backdoor's trigger does."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names) or ORIGINAL in names:
            raise ValueError(f"each variant has a name of its own, and none is named {ORIGINAL}: {', '.join(names)}")
        if self.compare_with == "first_variant" and len(names) < 2:
            raise ValueError("compare_with first_variant: give two variants at least")
        if (self.training_phrases is not None) != any(PHRASE_FIELD in variant.text for variant in self.variants):
            raise ValueError(f"training_phrases and a variant with {PHRASE_FIELD} belong together: give both or none")
        return self

    def with_phrases(self, phrases: Sequence[str]) -> "DerivedCases":
        """Return these with a variant for each phrase in place of those with `{phrase}`, and no field for phrases."""
        variants = [made for variant in self.variants for made in _with_phrases(variant, phrases)]
        return self.model_copy(update={"variants": variants, "training_phrases": None})


def _with_phrases(variant: Variant, phrases: Sequence[str]) -> Iterator[Variant]:
    if PHRASE_FIELD not in variant.text:
        yield variant
        return
    for number, phrase in enumerate(phrases, 1):
        # A phrase is the words of a training row, which may have a field's braces: only the variant's own are fields.
        before, after = variant.text.split(TEXT_FIELD)
        text = TEXT_FIELD.join(part.replace(PHRASE_FIELD, phrase.replace(TEXT_FIELD, "")) for part in (before, after))
        slices = {**variant.slices, "phrase": phrase}
        yield variant.model_copy(update={"name": f"{variant.name}-{number}", "text": text, "slices": slices})
