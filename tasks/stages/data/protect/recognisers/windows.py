"""Division of long texts into overlapping windows: no pattern reads more than WINDOW_LENGTH characters at a time."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.stages.data.protect.recognisers.span import Span

WINDOW_LENGTH = 20_000
"""Length of a window in characters. It also bounds the time of spaCy's tokeniser, which is quadratic on some texts
(spaCy issue 14020)."""
OVERLAP_LENGTH = 500
"""Number of characters that two neighbouring windows share. A shorter span that is cut in one window is complete in
the other."""


class Window(NamedTuple):
    text: str
    start: int
    text_length: int
    overlap: int = OVERLAP_LENGTH

    def uncut_spans(self, spans: Iterable[Span]) -> Iterator[Span]:
        """Yield the window's spans with offsets into the whole text, except those that touch a cut edge.

        Such a span is complete in the neighbouring window. A span longer than half the overlap is always yielded,
        because both windows may cut it.
        """
        for span in spans:
            uncut_left = span.start > 0 or self.start == 0
            uncut_right = span.end < len(self.text) or self.start + len(self.text) == self.text_length
            if (uncut_left and uncut_right) or span.end - span.start > self.overlap // 2:
                yield span._replace(start=span.start + self.start, end=span.end + self.start)


def split_into_windows(text: str, length: int = WINDOW_LENGTH, overlap: int = OVERLAP_LENGTH) -> Iterator[Window]:
    for start in range(0, max(1, len(text) - overlap), length - overlap):
        yield Window(text[start : start + length], start, len(text), overlap)
