"""Patterns that find a value in bytes, in the usual spellings and encodings of its words.

Letters that Unicode folds to the same ones are the same letter, as in a token: `ß` and `ss`, `ς` and `σ`. Marks belong
to their word, since a name in Devanagari or Thai would otherwise fall apart at each vowel.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from html.entities import codepoint2name
from urllib.parse import quote

from tasks.erase import name_orders

SEPARATOR = (
    rb"(?:[^0-9A-Za-z\x80-\xff]"
    rb"|\xc2[\x80-\xbf]|\xe2[\x80\x81\x88][\x80-\xbf]|\xe3\x80[\x80-\xbf]|\xe3\x83\xbb|\xef\xbb\xbf|\xef\xbc[\x80-\x8f]"
    rb"|[\x91-\x97\xa0\xad\xb7]"
    rb"|[%=][0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2}|\\u(?:00|20|22|30|fe|ff)[0-9A-Fa-f]{2}"
    rb"|&(?:#x?[0-9A-Fa-f]{1,5}|[A-Za-z]{2,8});){0,4}"
)
"""Pattern of what may stand between the words of a value: white space and punctuation in ASCII, UTF-8, Latin-1 and
Windows-1252, and escapes of these."""
ESCAPES = (rb"\\[bfnrt]", rb"\\u00[0-9A-Fa-f]{2}", rb"%[0-9A-Fa-f]{2}")
"""Patterns of escapes that end in a letter or digit. A word may begin after them."""
OTHER_FORMS = {"σ": ("ς",), "ς": ("σ",), "İ": ("i",)}
"""Further forms of a letter, which Python's changes of case do not return."""
SHARP_S = ("ss", "ß", "ẞ")


def count_letters(value: str) -> int:
    """Return the number of letters, digits and marks of letters in a value."""
    return sum(map(_is_of_word, unicodedata.normalize("NFKC", value)))


def short_pattern(value: str) -> bytes:
    """Return the pattern of a value that is found as a whole word only, a name in any order of its words."""
    escapes = b"|".join(rb"(?<=" + escape + rb")" for escape in ESCAPES)
    orders = [value, *map(" ".join, name_orders.other_orders(value))]
    words = b"|".join(b"".join(_word_patterns(spelled)) for order in orders for spelled in _normal_forms(order))
    return rb"(?:(?<![0-9A-Za-z])|" + escapes + rb")(?:" + words + rb")(?![0-9A-Za-z])"


def value_pattern(value: str) -> bytes:
    """Return the pattern of a value: its words with any separators, each letter in all usual encodings."""
    return b"|".join(map(_spelled_pattern, _normal_forms(value)))


def other_order_pattern(value: str) -> bytes:
    """Return the pattern of a name in other orders of its words; empty if there are none.

    A first name at its end is short, so it is a whole word: `Smith, Johnson` is not `John Smith`.
    """
    orders = map(" ".join, name_orders.other_orders(value))
    words = b"|".join(b"".join(_word_patterns(spelled)) for order in orders for spelled in _normal_forms(order))
    return words and rb"(?:" + words + rb")(?![0-9A-Za-z])"


def _normal_forms(value: str) -> Iterable[str]:
    """Return a value without and with compatibility characters, such as a ligature or a vowel of Thai.

    A form without any letter, such as that of a sign which stands for several letters, is left out.
    """
    forms = dict.fromkeys(unicodedata.normalize(form, value) for form in ("NFKC", "NFC"))
    return [form for form in forms if any(map(_is_of_word, form))]


def _spelled_pattern(value: str) -> bytes:
    first, *others = _word_patterns(value)
    if not re.fullmatch(rb"[0-9]", first):
        return first + b"".join(others)
    # Digits inside a longer number or a hexadecimal digest are not the person's, but `00` may replace a `+`. What
    # stands before is looked at after the first digit has matched, which is four times as fast.
    before = [rb"(?<![0-9A-Fa-f]", rb"(?<=(?<![0-9A-Fa-f])00", *(rb"(?<=" + escape for escape in ESCAPES)]
    alone = b"|".join(each + first + rb")" for each in before)
    return first + rb"(?:" + alone + rb")" + b"".join(others) + rb"(?![0-9A-Fa-f])"


def _word_patterns(value: str) -> list[bytes]:
    """Return the pattern of each word, or of each digit of a number. All but the first begin with a separator."""
    words = "".join(each if _is_of_word(each) else " " for each in value).split()
    if all(word.isdecimal() for word in words):  # the digits of a number are grouped in many ways
        words = list("".join(words))
    first, *others = [b"".join(map(_letter_pattern, _letters(word))) for word in words]
    return [first, *(SEPARATOR + word for word in others)]


def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


def _letters(word: str) -> Iterator[str]:
    """Yield the letters of a word. Two s are one, because they may be written as one."""
    return (match[0] for match in re.finditer("ss|.", word, re.IGNORECASE | re.DOTALL))


def _letter_pattern(letter: str) -> bytes:
    folded = letter.casefold()
    if letter.isascii() and folded != SHARP_S[0]:
        return re.escape(letter.encode())
    cases = {letter, letter.upper(), letter.title(), letter.lower(), folded, *OTHER_FORMS.get(letter, ())}
    cases |= set(SHARP_S) if folded == SHARP_S[0] else set()
    forms = {form for each in cases for form in _encodings(each)}
    return b"(?:" + b"|".join(re.escape(form) for form in sorted(forms, key=lambda it: (-len(it), it))) + b")"


def _encodings(text: str) -> Iterable[bytes]:
    """Yield a letter in UTF-8 and Latin-1, and escaped as in JSON, Python, addresses, mails and HTML."""
    if text.isascii():
        yield text.encode()
        return
    for spelled in {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}:
        yield spelled.encode()
        yield json.dumps(spelled)[1:-1].encode()
        yield spelled.encode("unicode_escape")
        yield quote(spelled).encode()
        yield quote(spelled).replace("%", "=").encode()
        yield spelled.encode("ascii", "xmlcharrefreplace")
        yield "".join(each if each.isascii() else f"&#x{ord(each):x};" for each in spelled).encode()
        yield "".join(f"&{name};" if (name := codepoint2name.get(ord(each))) else each for each in spelled).encode()
        if all(ord(each) < 256 for each in spelled):
            yield spelled.encode("latin-1")
