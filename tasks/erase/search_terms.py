"""Search of bytes for what identifies a person: their values in any usual spelling, their tokens, and record ids."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np

from tasks.erase.subject import Subject

VALUE, SHORT_VALUE, TOKEN, RECORD = "value", "short value", "token", "record id"
SEPARATOR = rb"(?:[^0-9A-Za-z\x80-\xff]|%[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}|&#x?[0-9A-Fa-f]{1,5};){0,4}"
"""Pattern of what may stand between the words of a value: white space, punctuation, and escapes of these."""
ESCAPES = (rb"\\[bfnrt]", rb"\\u00[0-9A-Fa-f]{2}", rb"%[0-9A-Fa-f]{2}")
"""Patterns of escapes that end in a letter or digit. A word may begin after them."""
SHORT_LENGTH = 6
"""Number of letters and digits below which a value is short: it is found as a whole word only, and may be a word of
others or a number of something else."""
LONGEST_TERM = 1024
"""Maximum number of bytes that a value with its separators is searched for across two blocks of a file."""
WINDOW = 8
"""Number of first bytes of a token or record id that are looked up together."""


class SearchTerms:
    def __init__(self, subject: Subject) -> None:
        short = [value for value in subject.values if _length(value) < SHORT_LENGTH]
        self._values = _compile(_value_pattern(value) for value in subject.values if value not in short)
        self._short_values = _compile(map(_short_pattern, short))
        self._literals = {token.encode(): TOKEN for token in subject.tokens}
        self._literals |= {key.encode(): RECORD for key in subject.record_keys}
        self._literals |= {bytes.fromhex(key): RECORD for key in subject.record_keys}
        self._by_beginning: dict[int, list[bytes]] = {}
        for literal in self._literals:
            self._by_beginning.setdefault(int.from_bytes(literal[:WINDOW], "little"), []).append(literal)
        self._beginnings = np.array(sorted(self._by_beginning), np.uint64)

    @property
    def has_short_values(self) -> bool:
        return self._short_values is not None

    def find(self, data: bytes, with_short_values: bool = True) -> set[str]:
        """Return what of the person is in these bytes: VALUE, SHORT_VALUE, TOKEN or RECORD."""
        found = {VALUE} if self._values and self._values.search(data) else set()
        if with_short_values and self._short_values and self._short_values.search(data):
            found.add(SHORT_VALUE)
        return found | set(self._find_literals(data))

    def _find_literals(self, data: bytes) -> Iterator[str]:
        if not len(self._beginnings):
            return
        for shift in range(min(WINDOW, max(0, len(data) - WINDOW + 1))):
            windows = np.frombuffer(data, "<u8", (len(data) - shift) // WINDOW, shift)
            places = np.searchsorted(self._beginnings, windows).clip(max=len(self._beginnings) - 1)
            for at in (np.flatnonzero(self._beginnings[places] == windows) * WINDOW + shift).tolist():
                beginning = int.from_bytes(data[at : at + WINDOW], "little")
                yield from (self._literals[each] for each in self._by_beginning[beginning] if data.startswith(each, at))


def _compile(patterns: Iterable[bytes]) -> re.Pattern[bytes] | None:
    either = b"|".join(patterns)
    return re.compile(either, re.IGNORECASE) if either else None


def _plain(value: str) -> str:
    return unicodedata.normalize("NFKC", value).casefold()


def _length(value: str) -> int:
    return sum(map(str.isalnum, _plain(value)))


def _short_pattern(value: str) -> bytes:
    escapes = b"|".join(rb"(?<=" + escape + rb")" for escape in ESCAPES)
    return rb"(?:(?<![0-9A-Za-z])|" + escapes + rb")" + b"".join(_word_patterns(value)) + rb"(?![0-9A-Za-z])"


def _value_pattern(value: str) -> bytes:
    """Return the pattern of a value: its words with any separators, each letter in all usual encodings."""
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
    words = re.findall(r"[^\W_]+", _plain(value))
    if all(word.isdecimal() for word in words):  # the digits of a number are grouped in many ways
        words = list("".join(words))
    first, *others = [b"".join(map(_letter_pattern, word)) for word in words]
    return [first, *(SEPARATOR + word for word in others)]


def _letter_pattern(letter: str) -> bytes:
    if letter.isascii():
        return re.escape(letter.encode())
    cases = {letter, letter.upper(), letter.lower()}
    forms = {form for each in cases for form in _encodings(each)}
    return b"(?:" + b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)) + b")"


def _encodings(text: str) -> Iterable[bytes]:
    for form in ("NFC", "NFD"):
        spelled = unicodedata.normalize(form, text)
        yield spelled.encode()
        yield spelled.encode("unicode_escape").replace(b"\\x", b"\\u00")
    yield text.encode("latin-1", "ignore") or text.encode()
