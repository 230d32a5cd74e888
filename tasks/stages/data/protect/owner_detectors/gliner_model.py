"""Detector of kind `gliner`: a GLiNER model, which is asked for the labels that sources.yaml names.

The package `gliner` (Apache-2.0) is no dependency of Hallmark: whoever wants it installs it beside Hallmark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tasks.core.errors import InputError, Unavailable
from tasks.sources.owner_detectors import OwnerDetector
from tasks.stages.data.protect.owner_detectors.device import prepare_device
from tasks.stages.data.protect.owner_detectors.pinned_files import HUB_FILES, require_files
from tasks.stages.data.protect.recognisers.span import Span

NEEDED_FILES = ("gliner_config.json", "tokenizer.json", "*.safetensors")
WINDOW_LENGTH, OVERLAP_LENGTH = 700, 150
"""Length and overlap of windows in characters. GLiNER ignores what is beyond its limit, of 384 words as a rule, and 700
characters are at most 350 words."""


@dataclass(frozen=True)
class GlinerDetector:
    detector: OwnerDetector
    model: Any

    def find_spans(self, texts: Sequence[str], language: str) -> list[list[Span]]:
        labels = sorted(self.detector.labels)
        lowest = min(map(self.detector.threshold_of, self.detector.categories))
        size = self.detector.batch
        return [
            [Span(it["start"], it["end"], category, float(it["score"])) for it in found if (category := self._of(it))]
            for start in range(0, len(texts), size)
            for found in self.model.batch_predict_entities(list(texts[start : start + size]), labels, threshold=lowest)
        ]

    def _of(self, entity: dict[str, Any]) -> str | None:
        return self.detector.labels.get(entity["label"])


def read_labels(folder: Path) -> None:
    """Check the names of a model's files. The model finds whatever it is asked for, so it has no labels of its own.

    Raises:
        InputError: The folder has other files than those of a model.
        Unavailable: The package `gliner` is not installed.
    """
    if find_spec("gliner") is None:
        raise Unavailable(
            "kind gliner needs the package gliner, which is not installed here; install it (`pip install gliner`) on "
            "every machine that runs stage ingest, or use a detector of kind transformers"
        )
    require_files(folder, HUB_FILES, NEEDED_FILES)


def load_detector(folder: Path, detector: OwnerDetector) -> GlinerDetector:
    """Load a model.

    Raises:
        InputError: The model cannot be loaded.
        Unavailable: The package `gliner` is not installed, or the detector is for a GPU, and there is none.
    """
    read_labels(folder)
    device = prepare_device(detector)
    from gliner import GLiNER

    try:
        model = GLiNER.from_pretrained(str(folder), local_files_only=True, load_tokenizer=True)
    except Exception as error:  # libraries raise many kinds for damaged files
        raise InputError(f"its model cannot be loaded ({next(iter(str(error).splitlines()), '')})") from None
    return GlinerDetector(detector, model.to(device).eval())
