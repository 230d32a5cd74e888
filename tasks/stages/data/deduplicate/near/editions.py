"""Which edition of a text somebody has before them, where the text says so apart from its body.

It says so on a line or in a sentence of its own, or in brackets: "Version 2.1", "Last updated: 1 March 2025", "(Stand:
1.3.2025)"; or in a heading that ends with it: "# Fees v2". A date or version within a sentence is part of what the
text says ("How do I install Java release 17?"), and so is every one that is asked about.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from tasks.stages.data.deduplicate.near.markers import DATE, DATED, MONTH, REPLACED, VERSION, said

LONGEST = 200
"""Characters of what says an edition and nothing else."""
MOST = 3
"""Of several the highest count: a text that tells what is new in version 2 is not older than that."""
PARTS = 4
"""2.8.8.1; what stands behind is left out."""
GONE = re.compile(REPLACED)
NUMBER = re.compile(r"\d+")
MONTHS = ("jan", "feb", "m[aä]r", "apr", "ma[yi]", "jun", "jul", "aug", "sep", "o[ck]t", "nov", "de[cz]")
"""As they begin in English and German."""
DECORATION = " \t#>-–•"
EMPHASIS = re.compile(r"[*_`|]")
BRACKETS = re.compile(rf"[(\[]([^()\[\]\n]{{1,{LONGEST}}})[)\]]")
ASKED = re.compile(r"[^.!?\n]*\?")
"""What follows, up to the end of a sentence that is a question."""
SENTENCE_END = re.compile(rf"(?<=[.!?;])\s+(?!{MONTH}|\d)", re.IGNORECASE)
"""Not within "1. März" or "v. 2"."""


class Edition(NamedTuple):
    body: str
    """The text without what says its edition."""
    newness: str
    """As a string that sorts: the larger, the newer; a year stands above the numbers of most versions. Empty where the
    text says nothing of it."""
    said: bool
    """Whether it says its edition, or what it replaces."""


class _Patterns(NamedTuple):
    whole: re.Pattern[str]
    """Says an edition and nothing else."""
    ending: re.Pattern[str]
    number: re.Pattern[str]
    """A version; or a date, as group `dated`."""


def edition(text: str, words: Sequence[str] = ()) -> Edition:
    """`words` are an owner's own, before a date or a number."""
    patterns, marks, body = _patterns(tuple(words)), list[str](), []
    lines = text.split("\n")
    begin = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    for number, line in enumerate(lines):
        left, own = _line(line, patterns)
        heads = not own and "?" not in text and _heads(lines, number, begin)
        if heads and (end := patterns.ending.search(left.casefold())):
            own, left = [end.group()], _without_end(left, end)
        marks += own
        body.append(left)
    return Edition("\n".join(body), _newness("\n".join(marks), patterns), bool(marks))


def _line(line: str, patterns: _Patterns) -> tuple[str, list[str]]:
    """What is left of a line, and what it says of an edition."""
    if _is_edition(line, patterns):
        return "", [line]
    marks: list[str] = []

    def bracketed(match: re.Match[str]) -> str:
        if not _is_edition(match[1], patterns) or ASKED.match(line, match.end()):
            return match[0]
        marks.append(match[1])
        return " "

    sentences = SENTENCE_END.split(BRACKETS.sub(bracketed, line))
    own = [sentence for sentence in sentences if len(sentences) > 1 and _is_edition(sentence, patterns)]
    left = " ".join(sentence for sentence in sentences if sentence not in own) if own else sentences[0]
    return (left if len(sentences) == 1 or own else " ".join(sentences)), marks + own


def _is_edition(text: str, patterns: _Patterns) -> bool:
    plain = " ".join(EMPHASIS.sub("", text.casefold()).strip(DECORATION).split())
    return bool(plain) and len(plain) <= LONGEST and patterns.whole.fullmatch(plain) is not None


def _heads(lines: list[str], number: int, begin: int) -> bool:
    """Whether a line is a heading: marked as one, or the one where the text begins, with an empty line behind it."""
    alone = number + 1 < len(lines) and not lines[number + 1].strip(DECORATION + "=~")
    return lines[number].startswith("#") or (number <= begin and alone)


def _without_end(line: str, end: re.Match[str]) -> str:
    """Casefolding may lengthen a line, so its end is counted from behind, where only digits stand."""
    return line[: len(line) - (len(end.string) - end.start())]


@lru_cache(maxsize=8)
def _patterns(words: tuple[str, ...]) -> _Patterns:
    dated = f"(?:{DATED}{f'|{said(words, DATE)}' if words else ''})"
    numbered = f"(?:{VERSION}{f'|{_numbered(words)}' if words else ''})"
    item = f"(?:{numbered}|{dated})"
    return _Patterns(
        # Atomic: "v1.1 may 2025" can be read in two ways, and a line of such in twice as many for each.
        whole=re.compile(rf"(?={item}|{REPLACED})(?>(?>{item}|{DATE})[ ,;.·–-]*)*+(?:{REPLACED}[\d.]*)?[ .]*"),
        ending=re.compile(rf"{item}[ .:]*$"),
        number=re.compile(f"(?P<dated>{dated})|{numbered}"),
    )


def _numbered(words: Iterable[str]) -> str:
    return said(words, r"\d+(?:\.\d+)*")


def _newness(marks: str, patterns: _Patterns) -> str:
    """Lines are kept apart: what "replaces" refers to ends with its own."""
    plain = "\n".join(" ".join(line.split()) for line in EMPHASIS.sub("", marks.casefold()).split("\n"))
    numbers = sorted((_parts(match) for match in patterns.number.finditer(GONE.sub(" ", plain))), reverse=True)
    return "".join(f"{part:06}" for parts in numbers[:MOST] for part in parts)


def _parts(marker: re.Match[str]) -> list[int]:
    numbers = [int(number[:6]) for number in NUMBER.findall(marker.group())][:PARTS]
    if marker["dated"]:
        numbers = _dated(marker.group(), numbers)
    return [*numbers, *[0] * (PARTS - len(numbers))]


def _dated(marker: str, numbers: list[int]) -> list[int]:
    """Year, month, day; 0 for a day that is not said. Of 3/1/25 the month comes first, of 3.1.25 the day."""
    year = numbers[-1] + 2000 * (numbers[-1] < 100)
    named = [place for place, month in enumerate(MONTHS, start=1) if re.search(rf"\b{month}", marker)]
    if named:
        return [year, named[0], numbers[0] * (len(numbers) > 1)]
    if numbers[0] > 31:
        return numbers
    day, month = numbers[1::-1] if "/" in marker else numbers[:2]
    return [year, month, day]
