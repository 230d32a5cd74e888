"""Search of bytes for what identifies a person: their values in any usual spelling, their tokens, and record ids."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np

from tasks.erase.subject import Subject

VALUE, TOKEN, RECORD = "value", "token", "record id"
SEPARATOR = rb"(?:[^0-9A-Za-z\x80-\xff]|%[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}|&#x?[0-9A-Fa-f]{1,5};){0,4}"
"""Pattern of what may stand between the words of a value: white space, punctuation, and escapes of these."""
SHORT_VALUE = 6
"""Number of letters and digits below which a value is only found as a whole word."""
LONGEST_TERM = 1024
"""Maximum number of bytes that a value with its separators is searched for across two blocks of a file."""
WINDOW = 8
"""Number of first bytes of a token or record id that are looked up together."""


class SearchTerms:
    def __init__(self, subject: Subject) -> None:
        patterns = [_value_pattern(value) for value in subject.values]
        self._values = re.compile(b"|".join(patterns), re.IGNORECASE) if patterns else None
        self._literals = {token.encode(): TOKEN for token in subject.tokens}
        self._literals |= {key.encode(): RECORD for key in subject.record_keys}
        self._literals |= {bytes.fromhex(key): RECORD for key in subject.record_keys}
        self._by_beginning: dict[int, list[bytes]] = {}
        for literal in self._literals:
            self._by_beginning.setdefault(int.from_bytes(literal[:WINDOW], "little"), []).append(literal)
        self._beginnings = np.array(sorted(self._by_beginning), np.uint64)

    def find(self, data: bytes) -> set[str]:
        """Return what of the person is in these bytes: VALUE, TOKEN or RECORD."""
        found = {VALUE} if self._values and self._values.search(data) else set()
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


def _value_pattern(value: str) -> bytes:
    """Return the pattern of a value: its words with any separators, each letter in all usual encodings."""
    plain = unicodedata.normalize("NFKC", value).casefold()
    words = re.findall(r"[^\W_]+", plain)
    if all(word.isdecimal() for word in words):  # the digits of a number are grouped in many ways
        words = list("".join(words))
    body = SEPARATOR.join(b"".join(map(_letter_pattern, word)) for word in words)
    if sum(map(str.isalnum, plain)) < SHORT_VALUE:
        return rb"(?<![0-9A-Za-z])" + body + rb"(?![0-9A-Za-z])"
    return body


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
