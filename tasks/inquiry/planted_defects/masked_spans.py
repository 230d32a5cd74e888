"""Spans of a source's text that placeholders replaced in the record."""

from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.placeholders import PLACEHOLDER


def find_masked_spans(original: str, protected: str) -> list[DetectedSpan]:
    """Return the spans of `original` that placeholders replaced in `protected`, each with its category.

    A span ends before the first occurrence of the text that follows the placeholder.

    Raises:
        ValueError: `protected` cannot have been made from `original`.
    """
    first, *rest = PLACEHOLDER.split(protected)
    if not original.startswith(first) or not original.endswith(rest[-1] if rest else first):
        raise ValueError("the texts differ beyond what was replaced")
    spans, at = [], len(first)
    for index in range(0, len(rest), 2):
        category, words = rest[index], rest[index + 1]
        last = index == len(rest) - 2
        end = len(original) - len(words) if last else original.find(words, at + 1)
        if end <= at:
            raise ValueError("the texts differ beyond what was replaced")
        spans.append(DetectedSpan(at, end, category))  # type: ignore[arg-type]
        at = end + len(words)
    return spans
