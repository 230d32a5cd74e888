"""Capitalised words of a text, and runs of neighbouring ones."""

import re
import unicodedata
from typing import NamedTuple

from tasks.stages.data.protect.recognisers.alternation import alternation

UPPER_CASE_LETTERS = "A-Z" + "".join(
    chr(point) for point in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)) if unicodedata.category(chr(point)) == "Lu"
)
CAPITALISED_WORD = rf"[{UPPER_CASE_LETTERS}][^\W\d_]{{0,30}}(?:['’`-][^\W\d_]{{1,30}}){{0,3}}"
PARTICLE = alternation(
    "von, van, vom, zu, zur, de, del, della, di, da, dos, du, la, le, der, den, ten, ter, bin, ibn, al, el, af, av"
)
CAPITALISED_RUN = re.compile(
    rf"(?<![\w@#./-]){CAPITALISED_WORD}\.?(?:[ \u00a0]{{1,2}}(?:{PARTICLE} ){{0,2}}{CAPITALISED_WORD}\.?){{0,5}}"
)
"""Pattern of up to six capitalised words in a row, with particles such as "van" between them."""
CAPITALISED_WORD_PATTERN = re.compile(CAPITALISED_WORD)
BEFORE_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n\"“„(»>*-])\s{0,5}$")


class CapitalisedWord(NamedTuple):
    word: str
    start: int
    end: int
    opens_sentence: bool
    """Whether the word is the first of a sentence or line. Ordinary words are capitalised there too."""

    @property
    def lower_case(self) -> str:
        return self.word.lower().removesuffix("'s").removesuffix("’s")


def capitalised_runs(text: str) -> list[list[CapitalisedWord]]:
    return [_split_run(text, run) for run in CAPITALISED_RUN.finditer(text)]


def _split_run(text: str, run: re.Match[str]) -> list[CapitalisedWord]:
    opens = bool(BEFORE_SENTENCE_START.search(text, max(0, run.start() - 8), run.start()))
    words = CAPITALISED_WORD_PATTERN.finditer(text, run.start(), run.end())
    return [CapitalisedWord(m.group(), m.start(), m.end(), opens and i == 0) for i, m in enumerate(words)]
