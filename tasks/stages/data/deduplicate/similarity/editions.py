"""Edition of a text, if the text states it apart from its body.

A text can state its edition in these places:

- on a line or in a sentence of its own: "Version 2.1", "Last updated: 1 March 2025"
- in brackets: "(Stand: 1.3.2025)"
- at the end of a heading: "# Fees v2"

A date or version within a sentence or a question is part of the body ("How do I install Java release 17?").
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from tasks.stages.data.deduplicate.similarity.markers import (
    DATE,
    DATED_EDITION,
    MONTH,
    REPLACES_CLAUSE,
    VERSION,
    edition_pattern,
)

MAX_STATEMENT_CHARS = 200
MAX_COMPARED_MARKERS = 3
"""Maximum number of dates and versions of a text that are compared, from the highest down. A text that says what is new
in version 2 is therefore not older than version 2, even if it also names version 1."""
VERSION_PARTS = 4
"""Number of parts of a version that are compared. A version such as 2.8.8.1 has four; further parts are ignored."""
REPLACED_PATTERN = re.compile(REPLACES_CLAUSE)
NUMBER = re.compile(r"\d+")
MONTH_PATTERNS = ("jan", "feb", "m[aä]r", "apr", "ma[yi]", "jun", "jul", "aug", "sep", "o[ck]t", "nov", "de[cz]")
"""Patterns of the first letters of English and German month names."""
LINE_DECORATION = " \t#>-–•"
EMPHASIS_MARKS = re.compile(r"[*_`|]")
BRACKETS = re.compile(rf"[(\[]([^()\[\]\n]{{1,{MAX_STATEMENT_CHARS}}})[)\]]")
QUESTION_REST = re.compile(r"[^.!?\n]*\?")
SENTENCE_END = re.compile(rf"(?<=[.!?;])\s+(?!{MONTH}|\d)", re.IGNORECASE)
"""Pattern of the end of a sentence. The full stops in "1. März" and "v. 2" do not match."""


class Edition(NamedTuple):
    body: str
    """Text without the part that states the edition."""
    sort_key: str
    """Sort key of the edition, which is larger for a newer edition; empty if the text states no edition. Dates usually
    have larger keys than versions, because years are larger than most version numbers."""
    is_stated: bool


class _Patterns(NamedTuple):
    whole: re.Pattern[str]
    ending: re.Pattern[str]
    number: re.Pattern[str]


def parse_edition(text: str, words: Sequence[str] = ()) -> Edition:
    """Separate the edition that a text states from the rest of the text.

    `words` are additional words, declared by the owner, that state an edition if a date or number follows.
    """
    patterns, marks, body = _edition_patterns(tuple(words)), list[str](), []
    lines = text.split("\n")
    begin = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    for number, line in enumerate(lines):
        left, own = _split_line(line, patterns)
        heads = not own and "?" not in text and _is_heading(lines, number, begin)
        if heads and (end := patterns.ending.search(left.casefold())):
            own, left = [end.group()], _remove_ending(left, end)
        marks += own
        body.append(left)
    return Edition("\n".join(body), _newness_key("\n".join(marks), patterns), bool(marks))


def _split_line(line: str, patterns: _Patterns) -> tuple[str, list[str]]:
    if _is_edition(line, patterns):
        return "", [line]
    marks: list[str] = []

    def bracketed(match: re.Match[str]) -> str:
        if not _is_edition(match[1], patterns) or QUESTION_REST.match(line, match.end()):
            return match[0]
        marks.append(match[1])
        return " "

    sentences = SENTENCE_END.split(BRACKETS.sub(bracketed, line))
    own = [sentence for sentence in sentences if len(sentences) > 1 and _is_edition(sentence, patterns)]
    left = " ".join(sentence for sentence in sentences if sentence not in own) if own else sentences[0]
    return (left if len(sentences) == 1 or own else " ".join(sentences)), marks + own


def _is_edition(text: str, patterns: _Patterns) -> bool:
    plain = " ".join(EMPHASIS_MARKS.sub("", text.casefold()).strip(LINE_DECORATION).split())
    return bool(plain) and len(plain) <= MAX_STATEMENT_CHARS and patterns.whole.fullmatch(plain) is not None


def _is_heading(lines: list[str], number: int, begin: int) -> bool:
    alone = number + 1 < len(lines) and not lines[number + 1].strip(LINE_DECORATION + "=~")
    return lines[number].startswith("#") or (number <= begin and alone)


def _remove_ending(line: str, end: re.Match[str]) -> str:
    """Remove a match from the end of a line.

    Its position is counted from the end, because casefolding may have lengthened the text before it.
    """
    return line[: len(line) - (len(end.string) - end.start())]


@lru_cache(maxsize=8)
def _edition_patterns(words: tuple[str, ...]) -> _Patterns:
    dated = f"(?:{DATED_EDITION}{f'|{edition_pattern(words, DATE)}' if words else ''})"
    numbered = f"(?:{VERSION}{f'|{_number_pattern(words)}' if words else ''})"
    item = f"(?:{numbered}|{dated})"
    return _Patterns(
        # Atomic groups, since "v1.1 may 2025" matches in two ways, and a line with n of these in 2^n ways.
        whole=re.compile(
            rf"(?={item}|{REPLACES_CLAUSE})(?>(?>{item}|{DATE})[ ,;.·–-]*)*+(?:{REPLACES_CLAUSE}[\d.]*)?[ .]*"
        ),
        ending=re.compile(rf"{item}[ .:]*$"),
        number=re.compile(f"(?P<dated>{dated})|{numbered}"),
    )


def _number_pattern(words: Iterable[str]) -> str:
    return edition_pattern(words, r"\d+(?:\.\d+)*")


def _newness_key(marks: str, patterns: _Patterns) -> str:
    """Return the sort key of the edition.

    Lines stay separate, because a clause such as "replaces …" ends with its line.
    """
    plain = "\n".join(" ".join(line.split()) for line in EMPHASIS_MARKS.sub("", marks.casefold()).split("\n"))
    numbers = sorted(
        (_parse_marker(match) for match in patterns.number.finditer(REPLACED_PATTERN.sub(" ", plain))), reverse=True
    )
    return "".join(f"{part:06}" for parts in numbers[:MAX_COMPARED_MARKERS] for part in parts)


def _parse_marker(marker: re.Match[str]) -> list[int]:
    numbers = [int(number[:6]) for number in NUMBER.findall(marker.group())][:VERSION_PARTS]
    if marker["dated"]:
        numbers = _parse_date(marker.group(), numbers)
    return [*numbers, *[0] * (VERSION_PARTS - len(numbers))]


def _parse_date(marker: str, numbers: list[int]) -> list[int]:
    """Return year, month and day of a date; a missing day is 0. The month comes first in 3/1/25, the day in 3.1.25."""
    year = numbers[-1] + 2000 * (numbers[-1] < 100)
    named = [place for place, month in enumerate(MONTH_PATTERNS, start=1) if re.search(rf"\b{month}", marker)]
    if named:
        return [year, named[0], numbers[0] * (len(numbers) > 1)]
    if numbers[0] > 31:
        return numbers
    day, month = numbers[1::-1] if "/" in marker else numbers[:2]
    return [year, month, day]
