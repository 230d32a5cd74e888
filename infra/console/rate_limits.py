"""Limits on a person's parallel requests and requests per minute, so that no script blocks the console for others.

The process counts requests in memory, with the moving windows of the library `limits`.
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
REQUESTS_PER_MINUTE = 1200
"""Maximum number of requests of one person per minute. An open page sends one every five seconds."""
PARALLEL_REQUESTS = 8
"""Maximum number of requests of one person that are processed at the same time. A browser sends six."""


PARALLEL_SIGN_INS = 2
"""Number of sign-ins that are verified in parallel. Each password hash takes 50 ms and 64 MiB."""
WAITING_SIGN_INS = 16
"""Maximum number of sign-ins in the queue, which is limited because anybody can send them."""


class TooManyRequests(Exception):
    """Raised if a request exceeds a limit."""


class SignInQueue:
    """Bounded queue for work that strangers can request. Its threads are separate from those that render pages."""

    def __init__(self, together: int = PARALLEL_SIGN_INS, waiting: int = WAITING_SIGN_INS) -> None:
        self._pool = ThreadPoolExecutor(together, thread_name_prefix="signing-in")
        self._most, self._taken = together + waiting, 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run `work` in a thread of the queue, and return its result.

        Raises:
            TooManyRequests: The queue is full.
        """
        if self._taken >= self._most:
            raise TooManyRequests
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._taken -= 1


class RateLimits:
    def __init__(self, a_minute: int, at_once: int = PARALLEL_REQUESTS) -> None:
        self._most, self._at_once = RateLimitItemPerMinute(a_minute), at_once
        self._counted = MovingWindowRateLimiter(MemoryStorage())
        self._answered: Counter[str] = Counter()
        self._turn = Lock()

    @contextmanager
    def request(self, who: str) -> Iterator[None]:
        """Count a person's request while it is processed.

        Raises:
            TooManyRequests: Too many requests of the person are in progress, or arrived in the last minute.
        """
        with self._turn:
            if self._answered[who] >= self._at_once or not self._counted.hit(self._most, who):
                raise TooManyRequests
            self._answered[who] += 1
        try:
            yield
        finally:
            with self._turn:
                self._answered[who] -= 1
