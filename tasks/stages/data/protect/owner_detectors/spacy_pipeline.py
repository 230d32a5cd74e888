"""Detector of kind `spacy`: the entities of a spaCy pipeline, without its other components."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import InputError
from tasks.sources.owner_detectors import OwnerDetector
from tasks.stages.data.protect.owner_detectors.label_check import require_mapped_labels
from tasks.stages.data.protect.owner_detectors.spacy_config import read_meta_labels, read_permitted_components
from tasks.stages.data.protect.recognisers.names.spacy_model import import_spacy
from tasks.stages.data.protect.recognisers.span import Span

ERROR_CODE = re.compile(r"\[E\d+\]")
"""Pattern of the code with which spaCy's error messages begin."""


@dataclass(frozen=True)
class SpacyDetector:
    detector: OwnerDetector
    pipeline: Any

    def find_spans(self, texts: Sequence[str], language: str) -> list[list[Span]]:
        try:
            return [list(self._entities(doc)) for doc in self.pipeline.pipe(texts, batch_size=self.detector.batch)]
        except ValueError as error:
            code = ERROR_CODE.match(str(error))  # the rest of the message may quote the text
            raise InputError(
                f"its pipeline fails on a text ({code[0] if code else type(error).__name__}); patterns can ask for the "
                "text of words alone, since no component for tags, lemmas or dependencies is loaded"
            ) from None

    def _entities(self, doc: Any) -> Iterator[Span]:
        for entity in doc.ents:
            if category := self.detector.labels.get(entity.label_):
                yield Span(entity.start_char, entity.end_char, category, 1.0)


def read_labels(folder: Path) -> frozenset[str]:
    return read_meta_labels(folder)


def load_detector(folder: Path, detector: OwnerDetector) -> SpacyDetector:
    """Load the components of a pipeline that find entities.

    Raises:
        InputError: The pipeline may run code, cannot be loaded, or gives labels that are not in its meta.json.
    """
    used, ignored = read_permitted_components(folder)
    try:
        pipeline = import_spacy().load(folder, exclude=ignored)
        labels = {label for name in used for label in getattr(pipeline.get_pipe(name), "labels", ())}
    except (MemoryError, InputError):
        raise
    except Exception as error:  # spaCy raises many kinds for damaged files
        named = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"its pipeline cannot be loaded ({named}); save it again with `to_disk`") from None
    require_mapped_labels(detector, labels)
    return SpacyDetector(detector, pipeline)
