"""Limits on each person's parallel requests and requests per minute, so that no script blocks the console for others.

Requests are counted in the memory of the process, with the moving windows of the library `limits`.
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
MAX_PARALLEL_REQUESTS = 8
"""Maximum number of requests of one person that are processed at the same time. A browser sends six."""


PARALLEL_SIGN_INS = 2
"""Number of sign-ins that are verified in parallel. Each password hash takes 50 ms and 64 MiB."""
MAX_WAITING_SIGN_INS = 16
"""Maximum number of sign-ins in the queue. It is limited because anybody can try to sign in."""


class TooManyRequests(Exception):
    """Raised if a request exceeds a limit."""


class SignInQueue:
    """Bounded queue for work that strangers can request. It has its own threads, apart from those that render pages."""

    def __init__(self, max_parallel: int = PARALLEL_SIGN_INS, max_waiting: int = MAX_WAITING_SIGN_INS) -> None:
        self._pool = ThreadPoolExecutor(max_parallel, thread_name_prefix="signing-in")
        self._capacity, self._in_progress = max_parallel + max_waiting, 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run `work` in a thread of the queue, and return its result.

        Raises:
            TooManyRequests: The queue is full.
        """
        if self._in_progress >= self._capacity:
            raise TooManyRequests
        self._in_progress += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._in_progress -= 1


class RateLimits:
    def __init__(self, max_per_minute: int, max_parallel: int = MAX_PARALLEL_REQUESTS) -> None:
        self._limit_per_minute, self._max_parallel = RateLimitItemPerMinute(max_per_minute), max_parallel
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._in_progress: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def count_request(self, person: str) -> Iterator[None]:
        """Count a request of a person as in progress during the block.

        Raises:
            TooManyRequests: Too many requests of the person are in progress, or arrived in the last minute.
        """
        with self._lock:
            if self._in_progress[person] >= self._max_parallel or not self._limiter.hit(self._limit_per_minute, person):
                raise TooManyRequests
            self._in_progress[person] += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_progress[person] -= 1
