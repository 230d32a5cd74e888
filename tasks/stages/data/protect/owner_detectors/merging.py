"""Finds of an owner's detector, merged with those of Hallmark's recognisers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tasks.sources.protection import Category
from tasks.stages.data.protect.detected_span import DetectedSpan, merge_spans


class MergedSpans(NamedTuple):
    spans: list[DetectedSpan]
    added: Counter[Category]
    """Number of the detector's finds with a letter or digit that was not detected before, by category."""


def add_finds(text: str, detected: Sequence[DetectedSpan], finds: Iterable[DetectedSpan]) -> MergedSpans:
    """Add the finds of a detector to the spans that were detected before, which stay.

    A find that overlaps one detected span of its own category makes this span longer, so that "Anna" and "Anna
    Schmidt" become one value. Of any other find, the parts are added that are not detected yet, if they have a letter
    or digit.

    Args:
        text: Text in which both were found.
        detected: Detected spans, sorted and without overlaps.
        finds: Finds of the detector, sorted and without overlaps.
    """
    spans, added, first = list(detected), Counter[Category](), 0
    for find in finds:
        while first < len(spans) and spans[first].end <= find.start:
            first += 1
        end = first
        while end < len(spans) and spans[end].start < find.end:
            end += 1
        touched = spans[first:end]
        merged = merge_spans(touched, [find])
        parts = [it for it in merged if it not in touched and any(map(str.isalnum, text[it.start : it.end]))]
        if not parts:
            continue
        added[find.category] += 1
        if len(touched) == 1 and touched[0].category == find.category:
            (old,) = touched
            spans[first:end] = [old._replace(start=min(old.start, find.start), end=max(old.end, find.end))]
        else:
            spans[first:end] = sorted([*touched, *(_without_outer_space(text, part) for part in parts)])
    return MergedSpans(spans, added)


def _without_outer_space(text: str, span: DetectedSpan) -> DetectedSpan:
    part = text[span.start : span.end]
    start = span.start + len(part) - len(part.lstrip())
    return span._replace(start=start, end=start + len(part.strip()))
