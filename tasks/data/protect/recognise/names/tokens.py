"""Capitalised words and the runs they form."""

import re
import unicodedata
from typing import NamedTuple

UPPER = "A-Z" + "".join(
    chr(p) for p in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)) if unicodedata.category(chr(p)) == "Lu"
)
WORD = rf"[{UPPER}][^\W\d_]{{0,30}}(?:['’`-][^\W\d_]{{1,30}}){{0,3}}"
PARTICLE = r"(?:von|van|vom|zu|zur|de|del|della|di|da|dos|du|la|le|der|den|ten|ter|bin|ibn|al|el|af|av)"
RUN = re.compile(rf"(?<![\w@#./-]){WORD}\.?(?:[ \u00a0]{{1,2}}(?:{PARTICLE} ){{0,2}}{WORD}\.?){{0,5}}")
"""At most six capitalised words, with particles between them; the next run begins where this one ends."""
PIECE = re.compile(WORD)
SENTENCE_END = re.compile(r"(?:^|[.!?:;\n\"“„(»>*-])\s{0,5}$")
GERMAN = frozenset(
    "ich und der die das nicht mit ist ein eine für auf dem den von bitte meine mein habe sie wir zu im bei noch wurde wird kann aber auch hat sehr wie mich mir haben guten herr frau geehrte hallo".split()
)
ENGLISH = frozenset(
    "the and to is my i a of in for it on that have with please you can was not this me but be at from your are has why how do an".split()
)
LOWER = re.compile(r"[^\W\d_]+")


class Piece(NamedTuple):
    """One capitalised word."""

    word: str
    start: int
    end: int
    opens: bool
    """At the start of a sentence or line, where a capital says nothing."""


def runs(text: str) -> list[list[Piece]]:
    """The capitalised words of a text, neighbours together."""
    found = []
    for run in RUN.finditer(text):
        opens = bool(SENTENCE_END.search(text, max(0, run.start() - 8), run.start()))
        found.append(
            [
                Piece(m.group(), m.start(), m.end(), opens and i == 0)
                for i, m in enumerate(PIECE.finditer(text, run.start(), run.end()))
            ]
        )
    return found


def is_german(text: str) -> bool:
    """More German than English function words in the first 2,000 characters; English where there are none."""
    found = [w.lower() for w in LOWER.findall(text[:2000])]
    return sum(w in GERMAN for w in found) > sum(w in ENGLISH for w in found)
