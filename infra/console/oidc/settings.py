"""Sign-in methods of the console, as set in the environment: passwords, an OpenID Connect provider, or both."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.policy.people import require_issuer

ISSUER_VARIABLE = "HALLMARK_OIDC_ISSUER"
CLIENT_ID_VARIABLE = "HALLMARK_OIDC_CLIENT_ID"
SECRET_FILE_VARIABLE = "HALLMARK_OIDC_CLIENT_SECRET_FILE"
NAME_VARIABLE = "HALLMARK_OIDC_NAME"
PASSWORDS_VARIABLE = "HALLMARK_CONSOLE_PASSWORDS"
MAX_SECRET_FILE_BYTES = 4096


class ProviderSettings(FrozenModel):
    issuer: str
    client_id: str
    client_secret: str = ""
    """Secret of the client; empty for a public client, for which PKCE is the only protection."""
    name: str
    """Name of the provider on the sign-in button."""


class SignInMethods(FrozenModel):
    passwords: bool = True
    provider: ProviderSettings | None = None


def sign_in_methods(environment: Mapping[str, str] = os.environ) -> SignInMethods:
    """Return the sign-in methods that the environment enables.

    Raises:
        InputError: A setting is invalid or incomplete, or no method is enabled.
    """
    passwords, provider = _passwords(environment), _provider(environment)
    if not passwords and provider is None:
        raise InputError(f"{PASSWORDS_VARIABLE}=off, and no provider signs anybody in; set {ISSUER_VARIABLE} too")
    return SignInMethods(passwords=passwords, provider=provider)


def _passwords(environment: Mapping[str, str]) -> bool:
    given = environment.get(PASSWORDS_VARIABLE, "") or "on"
    if given not in ("on", "off"):
        raise InputError(f"{PASSWORDS_VARIABLE}: expected on or off, got {given!r}")
    return given == "on"


def _provider(environment: Mapping[str, str]) -> ProviderSettings | None:
    issuer, client_id = environment.get(ISSUER_VARIABLE, ""), environment.get(CLIENT_ID_VARIABLE, "")
    if not issuer and not client_id:
        return None
    if not issuer or not client_id:
        raise InputError(
            f"{ISSUER_VARIABLE} and {CLIENT_ID_VARIABLE} belong together; "
            f"set {CLIENT_ID_VARIABLE if issuer else ISSUER_VARIABLE} too"
        )
    try:
        require_issuer(issuer)
    except ValueError as error:
        raise InputError(f"{ISSUER_VARIABLE}: {error}") from None
    name = environment.get(NAME_VARIABLE, "") or urlsplit(issuer).netloc
    return ProviderSettings(issuer=issuer, client_id=client_id, client_secret=_secret(environment), name=name)


def _secret(environment: Mapping[str, str]) -> str:
    given = environment.get(SECRET_FILE_VARIABLE, "")
    if not given:
        return ""
    try:
        with Path(given).open("rb") as file:
            secret = file.read(MAX_SECRET_FILE_BYTES + 1).decode("ascii").rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"{SECRET_FILE_VARIABLE}: {given} cannot be read ({why})") from None
    if not secret or len(secret) > MAX_SECRET_FILE_BYTES or not secret.isprintable():
        raise InputError(f"{SECRET_FILE_VARIABLE}: expected a file with the secret in one line: {given}")
    return secret
