"""Word-by-word comparison of two texts. Invisible characters are spelled out, so that they cannot mislead."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from tasks.core.escaping import escape_hidden

WORD_OR_SPACE = re.compile(r"\s+|\w+|[^\w\s]")
MAX_WORDS = 2_000
"""Maximum number of words that are compared word by word. If the differing part of a text is longer, all of it is
marked as different."""


class DiffPiece(NamedTuple):
    text: str
    differs: bool


def diff_texts(left: str, right: str) -> tuple[list[DiffPiece], list[DiffPiece]]:
    ours, theirs = WORD_OR_SPACE.findall(escape_hidden(left)), WORD_OR_SPACE.findall(escape_hidden(right))
    same = list(_matching_blocks(ours, theirs))
    return list(_diff_pieces(ours, [(at, size) for at, _, size in same])), list(
        _diff_pieces(theirs, [(at, size) for _, at, size in same])
    )


def _matching_blocks(ours: list[str], theirs: list[str]) -> Iterator[tuple[int, int, int]]:
    most = min(len(ours), len(theirs))
    begin = next((n for n in range(most) if ours[n] != theirs[n]), most)
    most -= begin
    end = next((n for n in range(most) if ours[-1 - n] != theirs[-1 - n]), most)
    yield 0, 0, begin
    ours_left, theirs_left = ours[begin : len(ours) - end], theirs[begin : len(theirs) - end]
    if max(len(ours_left), len(theirs_left)) <= MAX_WORDS:
        for block in SequenceMatcher(None, ours_left, theirs_left, autojunk=False).get_matching_blocks():
            yield begin + block.a, begin + block.b, block.size
    yield len(ours) - end, len(theirs) - end, end


def _diff_pieces(words: list[str], same: list[tuple[int, int]]) -> Iterator[DiffPiece]:
    differs = [True] * len(words)
    for begin, size in same:
        differs[begin : begin + size] = [False] * size
    for place in range(1, len(words) - 1):
        differs[place] |= words[place].isspace() and differs[place - 1] and differs[place + 1]
    for marked, stretch in groupby(zip(words, differs, strict=True), key=lambda pair: pair[1]):
        yield DiffPiece("".join(word for word, _ in stretch), marked)
