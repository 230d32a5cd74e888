"""What a text says, word by word: what is left when writing it anew, with the same meaning, could change nothing more.

Gone are case, spacing, punctuation, emoji, umlauts written as one letter or two, marks of quoting and headings; on
request the courtesies before and behind a message as well (lists/courtesy.txt). Numbers, symbols such as % and €, and
what stands in place of personal data stay as they are.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from tasks.stages.data.deduplicate.near.lists.words import read
from tasks.stages.data.protect.placeholders import PATTERN, masks

WORD = r"[^\W\d_]+(?:['’`´][^\W\d_]+)*[+#]{0,2}"
NUMBER = r"(?:(?<!\w)[-−+±])?(?:(?<!\w)\.)?[^\W_]*\d[^\W_]*(?:[.,:/'’_-][^\W_]*\d[^\W_]*)*"
TOKEN = re.compile(rf"({PATTERN})|({NUMBER})|({WORD})|(\S)")
MARKS = re.compile(r"(?m)^[\s>#*•–-]+(?!\d)")
"""What a mail program or a heading puts before a line; a sign before a number is no such mark."""
KEPT = frozenset("%‰§@&/\\°")
"""Signs that Unicode calls punctuation or the like, and that say something; currencies and mathematics are kept too."""
LETTERS = {"ä": "ae", "ö": "oe", "ü": "ue", "'": "", "’": "", "`": "", "´": ""} | {"ß": "ss"}
SPELLED = str.maketrans(LETTERS)
ANYWHERE = frozenset({"please", "pls", "bitte"})
OPENS = frozenset('.!?:;\n…"“„»>')
"""Behind these a capital says nothing of its word."""


class Content(NamedTuple):
    text: str
    """Its words with one blank between them, courtesies too. Capitals are kept, since they may tell a name."""
    masked: bool
    """Whether something stands in it of which nothing tells what it was: `[address]`, but not `[name:k3v9x2ab7dqm]`."""

    @property
    def key(self) -> str:
        """The same for texts of the same words, however cased and whatever courtesies stand around them."""
        return " ".join(without_courtesy(self.text.split())).lower()

    @property
    def signature(self) -> str:
        """What is no word: numbers, symbols, whom it is about. Two texts say the same only where this is the same."""
        return " ".join(word for word in self.text.lower().split() if not word.isalpha())

    @property
    def people(self) -> str:
        """What stands in place of personal data."""
        return " ".join(word for word in self.text.split() if word.startswith("["))


def content(text: str) -> Content:
    words = list[str]()
    plain = MARKS.sub("\n", unicodedata.normalize("NFKC", text))
    lower = plain.upper() == plain  # who writes in capitals alone names nobody by them
    for match in TOKEN.finditer(plain):
        placeholder, _, number, word, sign = match.groups()
        if placeholder:
            words.append(placeholder.lower())
        elif number:
            words.append(number.casefold())
        elif word:
            words.append(_spelled(word, lower))
        elif _says(sign):
            words.append(sign)
    return Content(" ".join(words), masks(plain))


def _spelled(word: str, lower: bool) -> str:
    plain = word.casefold().translate(SPELLED)
    if lower or word.islower() or word == "I":
        return plain
    return plain.upper() if word.isupper() and len(word) > 1 else plain.capitalize()


def _says(sign: str) -> bool:
    """Whether a sign that is neither word nor number is one of what a text says."""
    kind = unicodedata.category(sign)
    return sign in KEPT or kind in ("Sc", "Sm") or (kind[0] in "MN" and not "\ufe00" <= sign <= "\ufe0f")


def without_courtesy(words: list[str]) -> list[str]:
    """The same words where nothing else is left."""
    lower = [word.lower() for word in words]
    begin, end = 0, len(words)
    while size := _phrase(lower[begin:end][:LONGEST], begins=True):
        begin += size
    while size := _phrase(lower[begin:end][-LONGEST:], begins=False):
        end -= size
    return [word for word in words[begin:end] if word.lower() not in ANYWHERE] or words


def _phrase(words: list[str], begins: bool) -> int:
    """Words of the longest courtesy at this end; 0 for none."""
    sizes = range(len(words), 0, -1)
    return next((n for n in sizes if tuple(words[:n] if begins else words[-n:]) in _courtesies()), 0)


LONGEST = 6
"""Words of a courtesy."""


@lru_cache(maxsize=1)
def _courtesies() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(line.split()) for line in read("courtesy"))
