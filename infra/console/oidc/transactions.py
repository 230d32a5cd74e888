"""Sign-ins in progress, between the redirect to the provider and the callback.

The browser stores the state of a sign-in in a cookie, which is encrypted with a key of this process and hidden from
scripts. Unfinished sign-ins therefore take no memory in the process, and a restart ends all of them. The process
remembers only completed sign-ins, so that none is completed twice.
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
    """Random value that the provider must return in its answer, as proof that the answer belongs to this sign-in."""
    nonce: str
    """Random value that the ID token must contain, as proof that it was issued for this sign-in."""
    verifier: str
    """Secret that the console must send to the provider to get a token (PKCE code verifier)."""
    where: str
    """Path to open after the sign-in."""
    mark: str
    """Random value that the browser stores for this origin only (see `Sessions.begin_session`)."""
    began: float
    """Start time of the sign-in, in seconds since 1970."""


class SignInTransactions:
    def __init__(self) -> None:
        self._fernet, self._completed_states, self._lock = Fernet(Fernet.generate_key()), dict[str, float](), Lock()

    def begin_sign_in(self, next_path: str, now: float, mark: str = "") -> tuple[SignInTransaction, str]:
        """Begin a sign-in. Return the sign-in, and the encrypted cookie that stores it."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        next_path = next_path if len(next_path) <= MAX_PATH_LENGTH else "/"
        going = SignInTransaction(state=state, nonce=nonce, verifier=verifier, where=next_path, mark=mark, began=now)
        return going, self._fernet.encrypt(going.model_dump_json().encode()).decode()

    def complete_sign_in(self, cookie: str, state: str, now: float) -> SignInTransaction:
        """Decrypt the sign-in in a cookie, and return it if its OIDC state is `state`. Each can be completed only once.

        Raises:
            Refused: The provider's response belongs to another sign-in, came too late, or was used before.
        """
        try:
            going = SignInTransaction.model_validate_json(self._fernet.decrypt(cookie.encode()))
        except InvalidToken:
            raise Refused("this sign-in did not begin in this browser, or the console was started anew since") from None
        if not hmac.compare_digest(going.state.encode(), state.encode()):
            raise Refused("this answers another sign-in than the one that this browser began last")
        if now - going.began > MAX_SIGN_IN_SECONDS:
            raise Refused(f"this sign-in took longer than {MAX_SIGN_IN_SECONDS // 60} minutes")
        with self._lock:
            self._completed_states = {
                key: began for key, began in self._completed_states.items() if now - began <= MAX_SIGN_IN_SECONDS
            }
            if going.state in self._completed_states:
                raise Refused("this sign-in is over; each counts once")
            self._completed_states[going.state] = going.began
        return going
