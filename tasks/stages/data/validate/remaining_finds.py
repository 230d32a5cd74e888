"""Personal and secret text that the recognisers still find in protected records."""

import heapq
from collections.abc import Iterable, Mapping, Sequence

from tasks.sources.protection import Category
from tasks.stages.data.protect.detected_span import DetectedSpan, Detector, merge_spans
from tasks.stages.data.protect.placeholders import PLACEHOLDER
from tasks.stages.data.protect.words import RecordText


def sample_record_ids(record_ids: Iterable[str], size: int) -> set[str]:
    """Return a random but reproducible sample of record ids: the `size` smallest ids.

    Ids are keyed digests, so their order is random.
    """
    return set(heapq.nsmallest(size, record_ids))


def count_unprotected_records(
    records: Sequence[tuple[str, Sequence[str]]], kept_categories: Mapping[str, Sequence[str]], detector: Detector
) -> int:
    """Count the records with unprotected text: personal or secret text of a category that their source does not keep.

    A record is given as its source and its texts; `kept_categories` has the categories that each source keeps. A record
    is also counted if the detector cannot read one of its texts to the end, because the text may contain anything.
    """
    texts = list(dict.fromkeys(text for _, texts in records for text in texts if text))
    decoded = [RecordText(text).decoded.text for text in texts]
    categories = {
        text: remaining_categories(plain, spans)
        for text, plain, spans in zip(texts, decoded, detector(decoded), strict=True)
    }
    return sum(
        any(_has_unspared_finds(categories[text], kept_categories.get(source, ())) for text in texts if text)
        for source, texts in records
    )


def _has_unspared_finds(categories: set[Category] | None, spared: Sequence[str]) -> bool:
    return categories is None or not categories <= set(spared)


def remaining_categories(text: str, spans: Sequence[DetectedSpan] | None) -> set[Category] | None:
    """Return the categories found outside of placeholders; None if the text could not be read to its end."""
    if spans is None:
        return None
    masks = [DetectedSpan(mask.start(), mask.end(), mask[1]) for mask in PLACEHOLDER.finditer(text)]  # type: ignore[arg-type]
    pieces = [piece for piece in merge_spans(masks, spans) if piece not in masks]
    return {piece.category for piece in pieces if any(letter.isalnum() for letter in text[piece.start : piece.end])}
