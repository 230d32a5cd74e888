"""Sign-in methods of the console, provider or passwords, from the environment of `hallmark console start`."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.policy.people import require_issuer

ISSUER = "HALLMARK_OIDC_ISSUER"
CLIENT_ID = "HALLMARK_OIDC_CLIENT_ID"
SECRET_FILE = "HALLMARK_OIDC_CLIENT_SECRET_FILE"
NAME = "HALLMARK_OIDC_NAME"
PASSWORDS = "HALLMARK_CONSOLE_PASSWORDS"
MAX_SECRET_FILE_BYTES = 4096


class ProviderSettings(FrozenModel):
    issuer: str
    client_id: str
    client_secret: str = ""
    """Secret of the client; empty for a public client, which is protected only by PKCE."""
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
        raise InputError(f"{PASSWORDS}=off, and no provider signs anybody in; set {ISSUER} too")
    return SignInMethods(passwords=passwords, provider=provider)


def _passwords(environment: Mapping[str, str]) -> bool:
    given = environment.get(PASSWORDS, "") or "on"
    if given not in ("on", "off"):
        raise InputError(f"{PASSWORDS}: expected on or off, got {given!r}")
    return given == "on"


def _provider(environment: Mapping[str, str]) -> ProviderSettings | None:
    issuer, client_id = environment.get(ISSUER, ""), environment.get(CLIENT_ID, "")
    if not issuer and not client_id:
        return None
    if not issuer or not client_id:
        raise InputError(f"{ISSUER} and {CLIENT_ID} belong together; set {CLIENT_ID if issuer else ISSUER} too")
    try:
        require_issuer(issuer)
    except ValueError as error:
        raise InputError(f"{ISSUER}: {error}") from None
    name = environment.get(NAME, "") or urlsplit(issuer).netloc
    return ProviderSettings(issuer=issuer, client_id=client_id, client_secret=_secret(environment), name=name)


def _secret(environment: Mapping[str, str]) -> str:
    given = environment.get(SECRET_FILE, "")
    if not given:
        return ""
    try:
        with Path(given).open("rb") as file:
            secret = file.read(MAX_SECRET_FILE_BYTES + 1).decode("ascii").rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"{SECRET_FILE}: {given} cannot be read ({why})") from None
    if not secret or len(secret) > MAX_SECRET_FILE_BYTES or not secret.isprintable():
        raise InputError(f"{SECRET_FILE}: expected a file with the secret in one line: {given}")
    return secret
