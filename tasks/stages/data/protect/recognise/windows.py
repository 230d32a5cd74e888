"""Long texts in windows that overlap, so that no pattern ever sees more than `WINDOW` characters at a time."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.stages.data.protect.recognise.span import Span

WINDOW = 20_000
"""Characters. spaCy's own tokeniser is quadratic on some texts (its issue 14020), which this bounds too."""
OVERLAP = 500
"""Characters that two neighbours share: what one cut in two the other has whole."""


class Window(NamedTuple):
    """A stretch of folded text and where it begins in it."""

    text: str
    start: int
    total: int
    """Characters of the whole text."""

    def whole(self, spans: Iterable[Span]) -> Iterator[Span]:
        """Spans in the whole text's offsets, without those that touch a cut edge, which a neighbour shows whole.

        One of more than half the overlap may be cut in both, so it stays.
        """
        for span in spans:
            uncut_left = span.start > 0 or self.start == 0
            uncut_right = span.end < len(self.text) or self.start + len(self.text) == self.total
            if (uncut_left and uncut_right) or span.end - span.start > OVERLAP // 2:
                yield span._replace(start=span.start + self.start, end=span.end + self.start)


def windows(text: str) -> Iterator[Window]:
    """The text itself if it is short enough."""
    for start in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
        yield Window(text[start : start + WINDOW], start, len(text))
