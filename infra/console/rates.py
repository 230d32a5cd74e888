"""How much one visitor may ask for, at once and in a minute, so that nobody's script keeps the console from the others.

Kept in memory by the process, in the moving windows of `limits`.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

A_MINUTE = 1200
"""Requests of one person. A page that is open asks for itself every five seconds."""
AT_ONCE = 8
"""Requests of one person that are answered at the same time; a browser asks for six."""


class TooMany(Exception):
    """More than a visitor may ask for."""


class Rates:
    def __init__(self, a_minute: int, at_once: int = AT_ONCE) -> None:
        self._most, self._at_once = RateLimitItemPerMinute(a_minute), at_once
        self._counted = MovingWindowRateLimiter(MemoryStorage())
        self._answered: Counter[str] = Counter()
        self._turn = Lock()

    @contextmanager
    def one(self, who: str) -> Iterator[None]:
        """Around one request. Raises TooMany where too many are being answered, or the last minute has had as many."""
        with self._turn:
            if self._answered[who] >= self._at_once or not self._counted.hit(self._most, who):
                raise TooMany
            self._answered[who] += 1
        try:
            yield
        finally:
            with self._turn:
                self._answered[who] -= 1
