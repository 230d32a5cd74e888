"""How much one visitor may ask for, at once and in a minute, so that nobody's script keeps the console from the others.

Kept in memory by the process, in the moving windows of `limits`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

Result = TypeVar("Result")
A_MINUTE = 1200
"""Requests of one person. A page that is open asks for itself every five seconds."""
AT_ONCE = 8
"""Requests of one person that are answered at the same time; a browser asks for six."""


SIGNING_IN = 2
"""Sign-ins that are looked at together: each hash takes a twentieth of a second and 64 MiB."""
WAITING = 16
"""Sign-ins that wait besides; anybody can ask for them."""


class TooMany(Exception):
    """More than a visitor may ask for."""


class Queue:
    """Threads of its own for work that strangers ask for, so that it takes none of those that make pages."""

    def __init__(self, together: int = SIGNING_IN, waiting: int = WAITING) -> None:
        self._pool = ThreadPoolExecutor(together, thread_name_prefix="signing-in")
        self._most, self._taken = together + waiting, 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run `work` in its turn, and return its result. Raises TooMany where too many wait."""
        if self._taken >= self._most:
            raise TooMany
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._taken -= 1


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
