"""Content of a text: its words, numbers and symbols, without differences that do not change the meaning.

The following differences are ignored: case, spaces, punctuation, emoji, umlauts spelled with one letter or two,
invisible characters, letters of other scripts that look like Latin ones, and marks of quotations and headings. On
request, courtesy phrases at both ends of a message are removed as well (lists/courtesy.txt). Numbers, symbols such as %
and €, and placeholders of personal data stay as they are.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from tasks.stages.data.deduplicate.similarity.lists.words import read_list
from tasks.stages.data.protect.placeholders import PLACEHOLDER_PATTERN, has_masked_value
from tasks.stages.data.protect.recognisers.fold import fold_text

WORD = r"[^\W\d_]+(?:['’`´][^\W\d_]+)*[+#]{0,2}"
NUMBER = r"(?:(?<!\w)[-−+±])?(?:(?<!\w)\.)?[^\W_]*\d[^\W_]*(?:[.,:/'’_-][^\W_]*\d[^\W_]*)*"
TOKEN = re.compile(rf"({PLACEHOLDER_PATTERN})|({NUMBER})|({WORD})|(\S)")
LINE_PREFIX_MARKS = re.compile(r"(?m)^[\s>#*•–-]+(?!\d)")
"""Pattern of marks for quotations, lists and headings at the start of a line. A sign before a number is not such a
mark."""
KEPT_SIGNS = frozenset("%‰§@&/\\°")
"""Punctuation characters that count as content. Currency and mathematical symbols count as content too."""
LETTER_SPELLINGS = {"ä": "ae", "ö": "oe", "ü": "ue", "'": "", "’": "", "`": "", "´": ""} | {"ß": "ss"}
SPELLING_TABLE = str.maketrans(LETTER_SPELLINGS)
COURTESY_WORDS = frozenset({"please", "pls", "bitte"})
SENTENCE_OPENERS = frozenset('.!?:;\n…"“„»>')


class Content(NamedTuple):
    text: str
    """Words, numbers and symbols, separated by single spaces. Capitals are kept, because they may distinguish a
    name."""
    has_masked_value: bool
    """Whether the text has a placeholder without a token, such as `[address]`, unlike `[name:k3v9x2ab7dqm]`."""

    @property
    def comparison_key(self) -> str:
        """Text for comparison, which is equal for contents that differ only in case and courtesy phrases."""
        return " ".join(remove_courtesy_phrases(self.text.split())).lower()

    @property
    def signature(self) -> str:
        """Numbers, symbols and placeholders. Two texts with different signatures never have the same meaning."""
        return " ".join(word for word in self.text.lower().split() if not word.isalpha())

    @property
    def placeholders(self) -> str:
        """Placeholders for personal data, separated by spaces."""
        return " ".join(word for word in self.text.split() if word.startswith("["))


def extract_content(text: str) -> Content:
    words = list[str]()
    plain = LINE_PREFIX_MARKS.sub("\n", unicodedata.normalize("NFKC", fold_text(text).text))
    lower = plain.upper() == plain  # capitals do not distinguish names in a text of capitals only
    for match in TOKEN.finditer(plain):
        placeholder, _, number, word, sign = match.groups()
        if placeholder:
            words.append(placeholder.lower())
        elif number:
            words.append(number.casefold())
        elif word:
            words.append(_normalise_spelling(word, lower))
        elif _is_content(sign):
            words.append(sign)
    return Content(" ".join(words), has_masked_value(plain))


def _normalise_spelling(word: str, lower: bool) -> str:
    plain = word.casefold().translate(SPELLING_TABLE)
    if lower or word.islower() or word == "I":
        return plain
    return plain.upper() if word.isupper() and len(word) > 1 else plain.capitalize()


def _is_content(sign: str) -> bool:
    kind = unicodedata.category(sign)
    return sign in KEPT_SIGNS or kind in ("Sc", "Sm") or (kind[0] in "MN" and not "\ufe00" <= sign <= "\ufe0f")


def remove_courtesy_phrases(words: list[str]) -> list[str]:
    """Return the words without courtesy phrases, or all words if nothing else is left."""
    lower = [word.lower() for word in words]
    begin, end = 0, len(words)
    while size := _courtesy_length(lower[begin:end][:MAX_PHRASE_WORDS], begins=True):
        begin += size
    while size := _courtesy_length(lower[begin:end][-MAX_PHRASE_WORDS:], begins=False):
        end -= size
    return [word for word in words[begin:end] if word.lower() not in COURTESY_WORDS] or words


def _courtesy_length(words: list[str], begins: bool) -> int:
    sizes = range(len(words), 0, -1)
    return next((n for n in sizes if tuple(words[:n] if begins else words[-n:]) in _courtesy_phrases()), 0)


MAX_PHRASE_WORDS = 6


@lru_cache(maxsize=1)
def _courtesy_phrases() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(line.split()) for line in read_list("courtesy"))
