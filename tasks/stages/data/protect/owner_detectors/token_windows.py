"""Windows of a long text's tokens: a model reads a limited number of tokens at a time."""

from collections.abc import Iterator
from typing import NamedTuple

MAX_OVERLAP = 64
"""Maximum number of tokens that two neighbouring windows share. Of a shared token, the answer counts of the window in
which it is further from an edge, so each token is judged with at least 32 tokens around it, or the text's end."""


class TokenWindow(NamedTuple):
    start: int
    """Index of the window's first token in its text."""
    end: int
    first_judged: int
    """Index of the first token whose answer is taken from this window."""
    end_judged: int


def split_tokens(count: int, window: int) -> Iterator[TokenWindow]:
    """Yield windows of at most `window` tokens, in order. Each token is judged in exactly one of them."""
    overlap = min(MAX_OVERLAP, window // 4)
    start, judged = 0, 0
    while True:
        end = min(start + window, count)
        end_judged = count if end == count else end - overlap // 2
        yield TokenWindow(start, end, judged, end_judged)
        if end == count:
            return
        start, judged = end - overlap, end_judged
