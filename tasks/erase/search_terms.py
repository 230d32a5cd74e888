"""Search of bytes for what identifies a person: their values in any usual spelling, their tokens, and record ids."""

import re
from collections.abc import Iterable, Iterator

import numpy as np

from tasks.erase import spellings
from tasks.erase.subject import Subject

VALUE, SHORT_VALUE, TOKEN, RECORD = "value", "short value", "token", "record id"
SHORT_LENGTH = 6
"""Number of letters and digits below which a value is short: it is found as a whole word only, and may be a word of
others or a number of something else."""
LONGEST_TERM = 1024
"""Maximum number of bytes that a value with its separators is searched for across two blocks of a file."""
WINDOW = 8
"""Number of first bytes of a token or record id that are looked up together."""


class SearchTerms:
    def __init__(self, subject: Subject) -> None:
        short = [value for value in subject.values if spellings.count_letters(value) < SHORT_LENGTH]
        long = [value for value in subject.values if value not in short]
        orders = filter(None, map(spellings.other_order_pattern, long))
        # Two patterns of one name each are searched faster than one of both.
        self._values = [*filter(None, (_compile(map(spellings.value_pattern, long)), _compile(orders)))]
        self._short_values = _compile(map(spellings.short_pattern, short))
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
        found = {VALUE} if any(pattern.search(data) for pattern in self._values) else set()
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
