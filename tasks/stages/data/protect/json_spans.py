"""Conversion of spans to the original text, cut to JSON strings and numbers so that JSON stays valid."""

from collections.abc import Iterable, Iterator

from tasks.stages.data.protect.decoded_text import JsonToken
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.words import RecordText


def cut_to_json_tokens(text: RecordText, spans: Iterable[DetectedSpan]) -> list[DetectedSpan]:
    """Cut spans to the JSON strings and numbers that they cover. Spans of text without JSON are returned unchanged.

    A number is covered completely. If a span covers several strings, the field names in it stay readable, because they
    belong to the structure rather than the value. The spans must be sorted and must not overlap.
    """
    kept: list[DetectedSpan] = []
    for piece in _cut_spans(text, spans):
        if not kept or kept[-1].end <= piece.start:
            kept.append(piece)
    return kept


def to_original_spans(text: RecordText, spans: Iterable[DetectedSpan]) -> list[DetectedSpan]:
    """Convert spans of the decoded text to spans of the original text."""
    to_original = text.decoded.to_original
    moved = [it._replace(start=to_original(it.start), end=to_original(it.end)) for it in spans]
    return cut_to_json_tokens(text, moved)


def placeholder_quotes(text: RecordText, spans: Iterable[DetectedSpan]) -> dict[DetectedSpan, str]:
    """Return the spans that are JSON numbers, each with the quotation mark that its placeholder needs."""
    quotes = {
        (token.start, token.end): token.placeholder_quote for token in text.decoded.json_tokens if token.is_number
    }
    return {span: quotes[span.start, span.end] for span in spans if (span.start, span.end) in quotes}


def _cut_spans(text: RecordText, spans: Iterable[DetectedSpan]) -> Iterator[DetectedSpan]:
    tokens, first = text.decoded.json_tokens, 0
    for span in spans:
        while first < len(tokens) and tokens[first].end <= span.start:
            first += 1
        place = first
        while place < len(tokens) and tokens[place].start < span.end:
            if piece := _cut_to_token(text, span, tokens[place]):
                yield piece
            place += 1


def _cut_to_token(text: RecordText, span: DetectedSpan, token: JsonToken) -> DetectedSpan | None:
    within = token.start <= span.start and span.end <= token.end
    if token.names_field and not within:
        return None
    start, end = (
        (token.start, token.end) if token.is_number else (max(span.start, token.start), min(span.end, token.end))
    )
    if (start, end) == (span.start, span.end):
        return span
    covered = text.decoded_part(start, end)
    spelling = None if span.spelling is None else covered
    return span._replace(start=start, end=end, spelling=spelling) if any(map(str.isalnum, covered)) else None
