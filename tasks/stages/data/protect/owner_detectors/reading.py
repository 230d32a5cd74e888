"""Finds of an owner's detector in texts: windows of long texts, checked offsets, thresholds."""

from collections.abc import Iterable, Iterator, Sequence

from tasks.core.errors import InputError
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.owner_detectors.kinds import KINDS, load_detector, name_detector
from tasks.stages.data.protect.owner_detectors.pinned_files import PinnedDetector
from tasks.stages.data.protect.recognisers.fold import remove_invisible_characters
from tasks.stages.data.protect.recognisers.span import Span, resolve_overlaps
from tasks.stages.data.protect.recognisers.windows import Window, split_into_windows


def find_values(pinned: PinnedDetector, texts: Sequence[str], language: str) -> list[list[DetectedSpan]]:
    """Return the finds of a detector in each text, sorted and without overlaps.

    The detector reads texts without invisible characters, in which a letter and its combining marks are one character.
    In contrast to Hallmark's recognisers, it sees letters of other scripts as they are. Finds have offsets into the
    given text.

    Raises:
        InputError: The detector answers with offsets that are not in its text, or fails.
    """
    readable = [remove_invisible_characters(text) for text in texts]
    kind, loaded = KINDS[pinned.detector.kind], load_detector(pinned)
    windows = [
        (place, window)
        for place, text in enumerate(readable)
        if any(map(str.isalnum, text.text))
        for window in split_into_windows(text.text, kind.window_length, kind.overlap_length)
    ]
    found: list[list[Span]] = [[] for _ in texts]
    with name_detector(pinned):
        answers = loaded.find_spans([window.text for _, window in windows], language) if windows else []
        if len(answers) != len(windows):
            raise InputError(f"it answers for {len(answers)} texts of {len(windows)}")
        for (place, window), spans in zip(windows, answers, strict=True):
            found[place] += window.uncut_spans(_sufficient_spans(pinned, window, spans))
    return [
        [DetectedSpan(it.start, it.end, it.kind) for it in map(text.to_original, resolve_overlaps(spans))]  # type: ignore[arg-type]
        for text, spans in zip(readable, found, strict=True)
    ]


def _sufficient_spans(pinned: PinnedDetector, window: Window, spans: Iterable[Span]) -> Iterator[Span]:
    """Yield the spans whose score reaches the threshold of their category, and that have a letter or digit."""
    for span in spans:
        if not 0 <= span.start < span.end <= len(window.text):
            raise InputError(
                f"it answers with the characters {span.start} to {span.end} of a text of {len(window.text)}; its model "
                "does not fit its tokenizer, or is damaged"
            )
        category = next(it for it in pinned.detector.categories if it == span.kind)
        if span.score >= pinned.detector.threshold_of(category) and any(
            map(str.isalnum, window.text[span.start : span.end])
        ):
            yield span
