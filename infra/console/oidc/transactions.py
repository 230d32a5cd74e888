"""Sign-ins in progress, between the redirect to the provider and the callback.

The browser stores the state of a sign-in, in a cookie that is encrypted with a key of this process and hidden from
scripts. Unfinished sign-ins therefore take no memory here, and a restart of the process ends them all. The process
remembers only the sign-ins that were completed, so that each counts once.
"""

import hmac
import secrets
from threading import Lock

from cryptography.fernet import Fernet, InvalidToken

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused

MAX_SIGN_IN_SECONDS = 600
MAX_PATH_LENGTH = 1000
"""Maximum length of the path to open after the sign-in, in characters. A cookie holds 4096 bytes."""


class SignInTransaction(FrozenModel):
    state: str
    """Random value that the provider repeats in its answer, which proves that the answer belongs to this sign-in."""
    nonce: str
    """Random value that the ID token repeats, which proves that the token was issued for this sign-in."""
    verifier: str
    """Secret of the console that the provider requires before it issues a token (PKCE code verifier)."""
    where: str
    """Path to open after the sign-in."""
    mark: str
    """Random value that the browser stores for this origin only (see `Sessions.begin`)."""
    began: float
    """Start time of the sign-in, in seconds since 1970."""


class Transactions:
    def __init__(self) -> None:
        self._seal, self._over, self._turn = Fernet(Fernet.generate_key()), dict[str, float](), Lock()

    def begin(self, where: str, now: float, mark: str = "") -> tuple[SignInTransaction, str]:
        """Begin a sign-in, and return it with the encrypted cookie that stores it."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        where = where if len(where) <= MAX_PATH_LENGTH else "/"
        going = SignInTransaction(state=state, nonce=nonce, verifier=verifier, where=where, mark=mark, began=now)
        return going, self._seal.encrypt(going.model_dump_json().encode()).decode()

    def complete(self, cookie: str, state: str, now: float) -> SignInTransaction:
        """Decrypt the sign-in in a cookie, and return it if its state is `state`. Each sign-in is returned only once.

        Raises:
            Refused: The answer belongs to another sign-in, came too late, or was used before.
        """
        try:
            going = SignInTransaction.model_validate_json(self._seal.decrypt(cookie.encode()))
        except InvalidToken:
            raise Refused("this sign-in did not begin in this browser, or the console was started anew since") from None
        if not hmac.compare_digest(going.state.encode(), state.encode()):
            raise Refused("this answers another sign-in than the one that this browser began last")
        if now - going.began > MAX_SIGN_IN_SECONDS:
            raise Refused(f"this sign-in took longer than {MAX_SIGN_IN_SECONDS // 60} minutes")
        with self._turn:
            self._over = {key: began for key, began in self._over.items() if now - began <= MAX_SIGN_IN_SECONDS}
            if going.state in self._over:
                raise Refused("this sign-in is over; each counts once")
            self._over[going.state] = going.began
        return going
