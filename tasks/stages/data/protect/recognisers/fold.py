"""Normalisation of characters before matching, with conversion of offsets back to the original text.

- Removed: zero-width characters, joiners, soft hyphens and bidirectional controls. Combining marks are composed with
  the letter before them, or removed if Unicode has no such letter.
- Replaced by one character each: full-width and mathematical letters and digits, digits of all scripts, Cyrillic and
  Greek letters that look like Latin ones (chosen by hand from the confusables of Unicode TR39), and the variants of
  spaces, dashes and quotes.

Folded text is used only for matching. Text that is written afterwards is always cut from the original text.
"""

import re
import unicodedata
from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

from tasks.stages.data.protect.recognisers.span import Span

INVISIBLE_CHARACTERS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufe00\ufe01\ufe02\ufe0e\ufe0f\ufeff"
)
COMBINING_MARKS = "\u0300-\u036f"
"""Combining marks of European letters, as a range for a character class."""
SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
QUOTES = "\u2018\u2019\u201a\u201b\u2032\u00b4"
DOTS = {"\u3002": ".", "\uff0e": ".", "\u2024": ".", "\ufe52": "."}
CYRILLIC_LOOKALIKES = dict(zip("АВЕКМНОРСТХУЅІЈаеорсухіјѕԁԛԝ", "ABEKMHOPCTXYSIJaeopcyxijsdqw", strict=True))
GREEK_LOOKALIKES = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧορν", "ABEZHIKMNOPTYXopv", strict=True))
"""Latin letters by Greek letters of the same shape. A text that is really Greek becomes nonsense, which is harmless,
because nothing is found in it."""
STYLED_CHARACTER_RANGES = (range(0xFF01, 0xFF5F), range(0x1D400, 0x1D800), range(0x2460, 0x2474))
"""Code points of full-width, mathematical and circled letters and digits."""
DIGIT_RANGE = range(0x660, 0x1FBFA)
"""Range of code points that contains the decimal digits of other scripts."""


@lru_cache(maxsize=1)
def _translation_table() -> dict[int, str]:
    table = {ord(c): " " for c in SPACES} | {ord(c): "-" for c in DASHES} | {ord(c): "'" for c in QUOTES}
    table |= {ord(c): plain for c, plain in (CYRILLIC_LOOKALIKES | GREEK_LOOKALIKES | DOTS).items()}
    for points in STYLED_CHARACTER_RANGES:
        for point in points:
            plain = unicodedata.normalize("NFKC", chr(point))
            if len(plain) == 1 and plain.isascii():
                table.setdefault(point, plain)
    for point in DIGIT_RANGE:
        if (digit := unicodedata.decimal(chr(point), None)) is not None:
            table.setdefault(point, str(digit))
    return table


@lru_cache(maxsize=1)
def _foldable_pattern() -> re.Pattern[str]:
    return re.compile(
        f"[{COMBINING_MARKS}"
        + re.escape(INVISIBLE_CHARACTERS)
        + "".join(re.escape(chr(p)) for p in sorted(_translation_table()))
        + "]"
    )


_REMOVED_CHARACTERS = re.compile(f"[{INVISIBLE_CHARACTERS}{COMBINING_MARKS}]")
_LETTER_WITH_MARKS = re.compile(rf"[^\W\d_][{COMBINING_MARKS}]+")


def _compose(m: re.Match[str]) -> str:
    """Compose a letter with its first mark, and replace each mark by a zero-width space to keep the length."""
    return unicodedata.normalize("NFC", m.group())[0] + "\u200b" * (len(m.group()) - 1)


class FoldedText(NamedTuple):
    text: str
    removed_offsets: tuple[int, ...]
    """Offsets in the folded text at which characters were removed, ascending."""

    def to_original(self, span: Span) -> Span:
        """Return the span with offsets into the original text, including the characters that were removed within it."""
        if not self.removed_offsets:
            return span
        start = span.start + bisect_left(self.removed_offsets, span.start + 1)
        return span._replace(start=start, end=span.end + bisect_left(self.removed_offsets, span.end))


def fold_text(text: str) -> FoldedText:
    """Return the text with its characters normalised for matching.

    A text that needs no change costs one scan, or none if it is ASCII.
    """
    if text.isascii() or not _foldable_pattern().search(text):
        return FoldedText(text, ())
    plain = remove_invisible_characters(text)
    return plain._replace(text=plain.text.translate(_translation_table()))


def remove_invisible_characters(text: str) -> FoldedText:
    """Return the text without invisible characters and combining marks, whose letters are composed with them."""
    text = _LETTER_WITH_MARKS.sub(_compose, text)
    removed = tuple(m.start() - i for i, m in enumerate(_REMOVED_CHARACTERS.finditer(text)))
    return FoldedText(_REMOVED_CHARACTERS.sub("", text), removed)
