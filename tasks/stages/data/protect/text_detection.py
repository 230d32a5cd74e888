"""Detection in the texts of a batch of records: by Hallmark's recognisers, the owner's terms and the owner's detectors.

The recognisers read each text once. A detector that its owner brings reads only texts of records in its languages, so
one text may have other spans in a record of another language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tasks.sources.sources import TermsByCategory
from tasks.stages.data.protect import terms
from tasks.stages.data.protect.actions import Find, FindCounts
from tasks.stages.data.protect.detected_span import DetectedSpan, Detector, merge_spans
from tasks.stages.data.protect.json_spans import to_original_spans
from tasks.stages.data.protect.owner_detectors.merging import add_finds
from tasks.stages.data.protect.owner_detectors.pinned_files import PinnedDetector
from tasks.stages.data.protect.owner_detectors.reading import find_values
from tasks.stages.data.protect.words import RecordText

ZERO_WIDTH_SPACE = "\u200b"
SpansByText = Mapping[str, list[DetectedSpan] | None]
"""Detected spans by text; None for a text that could not be read to its end. Texts without spans are left out."""


@dataclass
class DetectedTexts:
    spans: dict[str, list[DetectedSpan] | None] = field(default_factory=dict)
    """Spans by text, as in `SpansByText`."""
    finds: dict[str, FindCounts] = field(default_factory=dict)
    """Finds of the owner's detectors by text."""

    def count_finds(self, texts: Sequence[str]) -> FindCounts:
        return sum((self.finds[text] for text in texts if text in self.finds), FindCounts())


def detect_by_language(
    texts_by_language: Mapping[str, Sequence[str]],
    detector: Detector,
    term_lists: TermsByCategory,
    owner_detectors: Sequence[PinnedDetector],
) -> dict[str, DetectedTexts]:
    """Return what is detected in each text of each language.

    Args:
        texts_by_language: Different texts, by language of their record.
        detector: Hallmark's recognisers.
        term_lists: The owner's terms.
        owner_detectors: The owner's detectors, in the order in which they are asked.
    """
    texts = [RecordText(it) for it in dict.fromkeys(it for some in texts_by_language.values() for it in some)]
    decoded = [text.decoded.text for text in texts]
    pattern = terms.compile_terms(term_lists)
    own = [
        None if others is None else merge_spans(terms.find_terms(text, pattern), others)
        for text, others in zip(decoded, _detect_with_zero_width_spaces(decoded, detector), strict=True)
    ]
    if not owner_detectors:
        shared = DetectedTexts(
            {t.text: _to_original(t, spans) for t, spans in zip(texts, own, strict=True) if spans != []}
        )
        return dict.fromkeys(texts_by_language, shared)
    first = {text.text: (text, spans) for text, spans in zip(texts, own, strict=True)}
    return {
        language: _ask_detectors(language, [first[text] for text in some], owner_detectors)
        for language, some in texts_by_language.items()
    }


def _ask_detectors(
    language: str,
    detected: Sequence[tuple[RecordText, list[DetectedSpan] | None]],
    owner_detectors: Sequence[PinnedDetector],
) -> DetectedTexts:
    found = DetectedTexts({text.text: None for text, spans in detected if spans is None})
    texts = [text for text, spans in detected if spans is not None]
    merged = [spans for _, spans in detected if spans is not None]
    counts = [FindCounts() for _ in texts]
    for pinned in owner_detectors:
        if not pinned.detector.reads_language(language):
            continue
        decoded = [text.decoded.text for text in texts]
        answers = _detect_with_zero_width_spaces(decoded, partial(_find_values, pinned, language))
        for place, (text, finds) in enumerate(zip(decoded, answers, strict=True)):
            merged[place], added = add_finds(text, merged[place], finds or ())
            counts[place].update(Find(pinned.detector.name, it.category, False) for it in finds or ())
            counts[place].update({Find(pinned.detector.name, it, True): number for it, number in added.items()})
    found.spans |= {text.text: _to_original(text, spans) for text, spans in zip(texts, merged, strict=True) if spans}
    found.finds = {text.text: count for text, count in zip(texts, counts, strict=True) if count}
    return found


def _find_values(pinned: PinnedDetector, language: str, texts: Sequence[str]) -> list[list[DetectedSpan] | None]:
    return [*find_values(pinned, texts, language)]


def _to_original(text: RecordText, spans: list[DetectedSpan] | None) -> list[DetectedSpan] | None:
    return None if spans is None else to_original_spans(text, spans)


def _detect_with_zero_width_spaces(texts: list[str], detector: Detector) -> list[list[DetectedSpan] | None]:
    """Return the detected spans of each text. A text with zero-width spaces is read twice.

    The first reading ignores zero-width spaces, and the second reads them as spaces. A zero-width space may hide a
    value, for example between two digits of a number, or separate two words as in a browser.
    """
    spaced = [place for place, text in enumerate(texts) if ZERO_WIDTH_SPACE in text]
    found = detector([*texts, *(texts[place].replace(ZERO_WIDTH_SPACE, " ") for place in spaced)])
    for place, others in zip(spaced, found[len(texts) :], strict=True):
        first = found[place]
        found[place] = None if first is None or others is None else merge_spans(first, others)
    return found[: len(texts)]
