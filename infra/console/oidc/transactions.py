"""A sign-in between leaving for the provider and coming back.

The browser keeps it, in a cookie that only this process can read and that its pages cannot: so whoever begins a million
of them fills nothing here, and the end of the process ends them. What is kept here are those that came back, each of
which counts once.
"""

import hmac
import secrets
from threading import Lock

from cryptography.fernet import Fernet, InvalidToken

from tasks.core.config import Frozen
from tasks.core.errors import Refused

SECONDS = 600
"""Within which somebody has to come back."""
LONGEST = 1000
"""Characters of the page to go to afterwards; a cookie holds 4096 bytes."""


class Going(Frozen):
    """One sign-in under way."""

    state: str
    """What the provider hands back to the browser: the answer is to this sign-in."""
    nonce: str
    """What the provider's token repeats: the token was made for this sign-in."""
    verifier: str
    """What only this console has, and the provider asks for before it gives a token (PKCE)."""
    where: str
    """The page to go to afterwards."""
    mark: str
    """Random value that the browser keeps for this origin alone (`Sessions.begin`)."""
    began: float
    """Seconds since 1970."""


class Transactions:
    def __init__(self) -> None:
        self._seal, self._over, self._turn = Fernet(Fernet.generate_key()), dict[str, float](), Lock()

    def begin(self, where: str, now: float, mark: str = "") -> tuple[Going, str]:
        """A new one, and the cookie that holds it."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        where = where if len(where) <= LONGEST else "/"
        going = Going(state=state, nonce=nonce, verifier=verifier, where=where, mark=mark, began=now)
        return going, self._seal.encrypt(going.model_dump_json().encode()).decode()

    def take(self, cookie: str, state: str, now: float) -> Going:
        """The one that a browser began and that an answer is to. Raises Refused, and takes each once."""
        try:
            going = Going.model_validate_json(self._seal.decrypt(cookie.encode()))
        except InvalidToken:
            raise Refused("this sign-in did not begin in this browser, or the console was started anew since") from None
        if not hmac.compare_digest(going.state.encode(), state.encode()):
            raise Refused("this answers another sign-in than the one that this browser began last")
        if now - going.began > SECONDS:
            raise Refused(f"this sign-in took longer than {SECONDS // 60} minutes")
        with self._turn:
            self._over = {key: began for key, began in self._over.items() if now - began <= SECONDS}
            if going.state in self._over:
                raise Refused("this sign-in is over; each counts once")
            self._over[going.state] = going.began
        return going
