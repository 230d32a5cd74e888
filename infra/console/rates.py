"""How much one visitor may ask for in a minute, so that nobody's script keeps the console from the others.

Kept in memory by the process, in the moving windows of `limits`.
"""

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

A_MINUTE = 1200
"""Requests of one person. A page that is open asks for itself every five seconds."""
SIGN_INS = 300
"""Attempts from one address; many people may be behind it."""


class TooMany(Exception):
    """More than a visitor may ask for in a minute."""


class Rates:
    def __init__(self, a_minute: int) -> None:
        self._most = RateLimitItemPerMinute(a_minute)
        self._counted = MovingWindowRateLimiter(MemoryStorage())

    def take(self, who: str) -> None:
        """Count one request. Raises TooMany where the last minute has as many already."""
        if not self._counted.hit(self._most, who):
            raise TooMany
