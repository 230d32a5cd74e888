"""Operations on overlapping and nested spans of one text.

Sorted spans stay sorted, and no operation is quadratic in the number of spans.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from tasks.stages.data.protect.detected_span import DetectedSpan, merge_spans
from tasks.stages.data.protect.values import is_ordinary_piece
from tasks.stages.data.protect.words import RecordText


def remove_overlaps(spans: Iterable[DetectedSpan]) -> Iterator[DetectedSpan]:
    """Yield the spans sorted and without overlaps.

    Of two spans that overlap, the earlier one is kept completely, or the longer one if both start at the same offset.
    The other is cut to the part after it.
    """
    end = 0
    for stretch in sorted(spans, key=lambda stretch: (stretch.start, -stretch.end)):
        if stretch.end > end:
            yield stretch._replace(start=max(end, stretch.start))
            end = stretch.end


def replaceable_part(text: RecordText, piece: DetectedSpan) -> Iterator[DetectedSpan]:
    """Yield the part of a span that must be replaced, from its first to its last word with a letter or digit.

    Nothing is yielded for ordinary words, or if no word has a letter or digit.
    """
    found = [word for word in text.words(piece.start, piece.end) if any(map(str.isalnum, word.plain))]
    if found and not is_ordinary_piece(piece.category, text.decoded_part(piece.start, piece.end)):
        yield DetectedSpan(found[0].start, found[-1].end, piece.category)


def drop_leftovers(text: RecordText, finds: Iterable[DetectedSpan]) -> Iterator[DetectedSpan]:
    """Yield detected spans without outer white space. Leftovers that consist of ordinary words are dropped.

    A leftover is the rest of a span that overlapped a better span. It begins at the end of the better span and has the
    same category.
    """
    end, category = -1, ""
    for find in finds:
        covered = text.decoded_part(find.start, find.end)
        left_over = find.start == end and find.category == category
        end, category = find.end, find.category
        if not covered.strip():
            continue
        if not (left_over and is_ordinary_piece(find.category, covered)):
            start, stop = text.strip_span(find.start, find.end)
            yield find._replace(start=start, end=stop)


def words_outside(text: RecordText, whole: DetectedSpan, inside: Sequence[DetectedSpan]) -> list[str]:
    return [
        word
        for left in merge_spans(inside, [whole])
        if left not in inside
        for word in text.decoded_part(left.start, left.end).split()
    ]


def enclosing_span(inner_span: DetectedSpan, spans: Sequence[DetectedSpan]) -> DetectedSpan | None:
    """Return the span that contains `inner_span`, or None. The spans must be sorted and must not overlap."""
    place = bisect_right(spans, inner_span.start, key=lambda stretch: stretch.start) - 1
    return spans[place] if place >= 0 and spans[place].end >= inner_span.end else None


def overlaps_any(span: tuple[int, int], others: Sequence[DetectedSpan]) -> bool:
    place = bisect_right(others, span[0], key=lambda stretch: stretch.end)
    return place < len(others) and others[place].start < span[1]
