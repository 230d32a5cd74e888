"""Verification of an ID token before it signs a person in (OpenID Connect Core 1.0, section 3.1.3.7)."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tasks.core.errors import Refused, Unavailable

ACCEPTED_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Accepted signature algorithms. All of them use a private key of the provider. `none` is refused, and so are the HS
algorithms, because the client also knows their secret."""
KEY_TYPES = ("RSA", "EC")
MIN_RSA_BITS = 2048
"""Minimum length of an RSA key, in bits (NIST SP 800-131A). Shorter keys can be broken."""
LEEWAY_SECONDS = 60
MAX_TOKEN_AGE_SECONDS = 600
"""Maximum age of a token, in seconds. A token is issued for one sign-in and used at once."""


def verify_id_token(token: str, keys: Any, issuer: str, client_id: str, nonce: str, now: float) -> str:
    """Verify an ID token, and return its subject.

    `keys` is the provider's JSON Web Key Set, and `now` is the current time in seconds since 1970.

    Raises:
        Refused: The token is not valid for this sign-in.
        Unavailable: The key set has no usable key.
    """
    claims = _verified_claims(token, _key_set(keys))
    for wrong in _claim_errors(claims, issuer, client_id, nonce, now):
        raise Refused(f"the provider's token does not count: {wrong}")
    return str(claims["sub"])


def _key_set(keys: Any) -> KeySet:
    try:
        return KeySet.import_key_set({"keys": [each for each in keys["keys"] if _is_accepted_key(each)]})
    except (JoseError, AttributeError, KeyError, TypeError, ValueError):
        raise Unavailable(
            f"the sign-in's provider gives out no key of EC, or of RSA with {MIN_RSA_BITS:,} bits, for its tokens"
        ) from None


def _is_accepted_key(key: Mapping[str, Any]) -> bool:
    if key.get("kty") == "RSA":
        modulus = urlsafe_b64decode(str(key.get("n", "")) + "==")
        return int.from_bytes(modulus).bit_length() >= MIN_RSA_BITS
    return key.get("kty") in KEY_TYPES


def _verified_claims(token: str, keys: KeySet) -> Mapping[str, Any]:
    try:
        return jwt.decode(token, keys, algorithms=ACCEPTED_ALGORITHMS).claims
    except (JoseError, TypeError, ValueError, RecursionError) as error:
        raise Refused(f"the provider's token does not count: it is not signed by its keys ({error})") from None


def _claim_errors(claims: Mapping[str, Any], issuer: str, client_id: str, nonce: str, now: float) -> Iterator[str]:
    if claims.get("iss") != issuer:
        yield f"it is of another issuer than {issuer}"
    if claims.get("aud") not in (client_id, [client_id]) or claims.get("azp", client_id) != client_id:
        yield f"it is for others than {client_id}"
    if claims.get("nonce") != nonce:
        yield "it was made for another sign-in"
    if not _number_or_nan(claims.get("exp")) > now - LEEWAY_SECONDS:
        yield "it has expired"
    if not now - MAX_TOKEN_AGE_SECONDS - LEEWAY_SECONDS <= _number_or_nan(claims.get("iat")) <= now + LEEWAY_SECONDS:
        yield "it was not made now"
    if not _number_or_nan(claims.get("nbf", now)) <= now + LEEWAY_SECONDS:
        yield "it does not count yet"
    if not re.fullmatch("[!-~]{1,255}", str(claims.get("sub"))) or not isinstance(claims.get("sub"), str):
        yield "its subject is no text of 1 to 255 visible characters"


def _number_or_nan(value: Any) -> float:
    """Return a number as a float, or NaN for any other value, because every comparison with NaN is false."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
