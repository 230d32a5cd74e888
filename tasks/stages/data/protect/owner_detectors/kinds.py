"""Kinds of detectors: how the labels of each are read, and how it is loaded."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from tasks.core.errors import InputError, Unavailable
from tasks.sources.owner_detectors import DetectorKind, OwnerDetector
from tasks.sources.sources import MAX_DETECTORS
from tasks.stages.data.protect.owner_detectors import gliner_model, presidio_patterns, spacy_pipeline, token_classifier
from tasks.stages.data.protect.owner_detectors.label_check import require_mapped_labels
from tasks.stages.data.protect.owner_detectors.pinned_files import PinnedDetector
from tasks.stages.data.protect.recognisers import windows
from tasks.stages.data.protect.recognisers.span import Span


class LoadedDetector(Protocol):
    """Detector in memory."""

    def find_spans(self, texts: Sequence[str], language: str) -> list[list[Span]]:
        """Return the spans in each text, whose `kind` is a category of sources.yaml."""


@dataclass(frozen=True)
class Kind:
    read_labels: Callable[[Path], Collection[str] | None]
    """Function that checks the files of a detector without loading it, and returns its labels; None if it finds
    whatever it is asked for."""
    load: Callable[[Path, OwnerDetector], LoadedDetector]
    window_length: int = windows.WINDOW_LENGTH
    """Maximum number of characters that the detector reads at a time."""
    overlap_length: int = windows.OVERLAP_LENGTH


KINDS: Mapping[DetectorKind, Kind] = {
    "presidio": Kind(presidio_patterns.read_labels, presidio_patterns.load_detector),
    "transformers": Kind(token_classifier.read_labels, token_classifier.load_detector),
    "spacy": Kind(spacy_pipeline.read_labels, spacy_pipeline.load_detector),
    "gliner": Kind(
        gliner_model.read_labels,
        gliner_model.load_detector,
        gliner_model.WINDOW_LENGTH,
        gliner_model.OVERLAP_LENGTH,
    ),
}


def check_files(pinned: PinnedDetector) -> None:
    """Check a detector's files and labels without loading it. Only JSON, YAML and config.cfg are read.

    Raises:
        InputError: The files are not of its kind, or `labels` is not complete.
        Unavailable: A package is not installed.
    """
    with name_detector(pinned):
        labels = KINDS[pinned.detector.kind].read_labels(pinned.path)
        if labels is not None:
            require_mapped_labels(pinned.detector, labels)


def load_detector(pinned: PinnedDetector) -> LoadedDetector:
    """Return a detector, which is loaded once per process.

    Raises:
        InputError: It cannot be loaded.
        Unavailable: A package or a GPU is missing.
    """
    with name_detector(pinned):
        return _load(pinned.detector.model_dump_json(), _Place(pinned))


@contextmanager
def name_detector(pinned: PinnedDetector) -> Iterator[None]:
    """Put the name of a detector at the beginning of the errors of a block."""
    try:
        yield
    except (InputError, Unavailable) as error:
        text = str(error)
        raise type(error)(text if text.startswith(pinned.where) else f"{pinned.where}: {text}") from None


@dataclass(frozen=True)
class _Place:
    """Files of a detector. All places are equal, because the digest in sources.yaml determines what is loaded."""

    pinned: PinnedDetector

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Place)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=MAX_DETECTORS)
def _load(_: str, place: _Place) -> LoadedDetector:
    pinned = place.pinned
    return KINDS[pinned.detector.kind].load(pinned.path, pinned.detector)
