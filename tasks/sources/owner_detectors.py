"""Detectors that the owner of a source adds to Hallmark's recognisers: key `detectors` of a source in sources.yaml."""

import re
from collections.abc import Collection
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import NFC, Name, NonEmptyText, Sha256, Share
from tasks.sources.column_mapping import UNKNOWN_LANGUAGE
from tasks.sources.protection import Category

DetectorKind = Literal["presidio", "transformers", "spacy", "gliner"]
DETECTOR_KINDS: tuple[DetectorKind, ...] = get_args(DetectorKind)
FILE_KINDS: tuple[DetectorKind, ...] = ("presidio",)
"""Kinds whose detector is a single file. All other detectors are folders."""
UNSCORED_KINDS: tuple[DetectorKind, ...] = ("spacy",)
"""Kinds whose answers have no score."""
DEFAULT_THRESHOLD = 0.5
LANGUAGE_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_].*)?")
"""Pattern of a language tag, such as `de` or `de-AT`, with the language itself as its group (BCP 47)."""
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""Language as its code of ISO 639, such as `de`. It stands for its regional forms too."""


def primary_language(language: str) -> str:
    """Return the language of a record without its region, or UNKNOWN_LANGUAGE if the text is no language tag.

    So a record whose source says `Deutsch` counts as one of an unknown language, which every detector reads.
    """
    match = LANGUAGE_TAG.fullmatch(language)
    return match[1].lower() if match else UNKNOWN_LANGUAGE


def reads_language(languages: Collection[str], language: str) -> bool:
    """Return whether a detector made for these languages, or for all if there are none, reads a record.

    Every detector reads a record whose language is not known.
    """
    return not languages or primary_language(language) in (*languages, UNKNOWN_LANGUAGE)


class OwnerDetector(FrozenModel):
    """Detector of personal data that the owner of a source brings: a model, or a list of patterns.

    `ingest` replaces what it finds in addition to what Hallmark's own recognisers find. It can only add values: what
    the recognisers find is replaced whatever the detector answers.
    """

    name: Name
    """Name of the detector, under which its finds are counted."""
    kind: DetectorKind
    """`presidio`: a YAML file of Presidio's recognisers, with patterns and deny lists. `transformers`: a folder with a
    token classifier as `save_pretrained` writes it, with safetensors and a fast tokenizer. `spacy`: a folder with a
    pipeline as `to_disk` writes it. `gliner`: a folder with a GLiNER model; the package `gliner` must be installed."""
    path: NonEmptyText
    """Path of the file or folder, absolute or relative to the repository."""
    sha256: Sha256
    """SHA-256 of the file. For a folder, that of the canonical JSON of its files' paths and SHA-256s
    (`tasks.core.files.tree_digest`). A run is refused if the path holds anything else; the message says what it
    holds."""
    labels: Annotated[dict[Annotated[NonEmptyText, NFC], Category | None], Field(min_length=1)]
    """Category of each label that the detector gives, without prefixes such as `B-`; null for a label whose text is not
    personal. All labels of the detector must be listed. For `gliner`, these are the labels that it is asked for."""
    languages: list[LanguageCode] = []
    """Languages that the detector is made for, for example `[de]`; empty for all. It reads the records in these
    languages, and those whose language is not known."""
    threshold: Share | None = None
    """Minimum score of a find, from 0 to 1; null for 0.5. A spaCy pipeline gives no scores and takes no threshold."""
    thresholds: dict[Category, Share] = {}
    """Minimum scores for single categories, in place of `threshold`."""
    batch: Annotated[int, Field(ge=1, le=1_024)] = 16
    """Number of texts, or windows of long texts, that a model reads at a time. It changes the speed and the memory that
    are needed."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Device on which a model runs. `gpu` gives the stage access to the accelerators of the machine."""

    @property
    def is_file(self) -> bool:
        return self.kind in FILE_KINDS

    @property
    def categories(self) -> tuple[Category, ...]:
        """Categories that the detector finds, sorted."""
        return tuple(sorted({category for category in self.labels.values() if category}))

    def threshold_of(self, category: Category) -> float:
        default = DEFAULT_THRESHOLD if self.threshold is None else self.threshold
        return self.thresholds.get(category, default)

    def reads_language(self, language: str) -> bool:
        return reads_language(self.languages, language)

    @model_validator(mode="after")
    def _require_useful_settings(self) -> Self:
        if not self.categories:
            raise ValueError(f"detector {self.name}: `labels` gives no label a category, so it would find nothing")
        if unknown := sorted(self.thresholds.keys() - set(self.categories)):
            raise ValueError(
                f"detector {self.name}: `thresholds` names {', '.join(unknown)}; `labels` has "
                f"{', '.join(self.categories)}"
            )
        if self.kind in UNSCORED_KINDS and (self.threshold is not None or self.thresholds):
            raise ValueError(f"detector {self.name}: a {self.kind} pipeline gives no scores; leave its thresholds out")
        if self.device == "gpu" and self.kind not in ("transformers", "gliner"):
            raise ValueError(f"detector {self.name}: kind {self.kind} runs on the CPU alone; leave `device` out")
        return self


class DeclaredDetector(FrozenModel):
    """Detector of a source as a dataset's manifest names it."""

    kind: DetectorKind
    sha256: Sha256
    categories: list[Category]
    languages: list[str]
    """Languages that it is made for; empty for all."""

    @staticmethod
    def from_detector(detector: OwnerDetector) -> "DeclaredDetector":
        return DeclaredDetector(
            kind=detector.kind,
            sha256=detector.sha256,
            categories=list(detector.categories),
            languages=sorted(set(detector.languages)),
        )


class DetectorCount(FrozenModel):
    """Number of finds of one category by an owner's detector."""

    found: int
    """Finds with a sufficient score, whether Hallmark's recognisers found them too or not."""
    added: int
    """Finds with a letter or digit that no recogniser and no earlier detector of the source found."""
