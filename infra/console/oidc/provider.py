"""OpenID Connect provider: its endpoints, the redirect to it, and the exchange of a code for a subject."""

import re
import time
from collections.abc import Mapping
from threading import BoundedSemaphore, Lock
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from pydantic import BaseModel, ValidationError

from infra.console.oidc import id_token
from infra.console.oidc.http import TIMEOUT, BoundedTransport, get_json
from infra.console.oidc.settings import ISSUER, ProviderSettings
from infra.console.oidc.transactions import SignInTransaction
from tasks.core.documents.document import error_text
from tasks.core.errors import InputError, Refused, Unavailable

METADATA_CACHE_SECONDS = 600
"""Seconds for which the provider's metadata is cached. The provider's keys are fetched at each sign-in."""
RETRY_DELAY_SECONDS = 5
PARALLEL_SIGN_INS = 8
"""Maximum number of sign-ins that wait for the provider. If it is slow, other threads remain free for pages."""


class ProviderMetadata(BaseModel):
    """Metadata of a provider, from ISSUER/.well-known/openid-configuration.

    Only the fields that the console uses are listed (OpenID Connect Discovery 1.0, section 3).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """OpenID Connect provider through which people sign in.

    Args:
        callback: URL to which the provider redirects the browser after the sign-in.
    """

    def __init__(self, settings: ProviderSettings, callback: str) -> None:
        self.settings, self.callback = settings, callback
        self._found: tuple[float, ProviderMetadata] | None = None
        self._failed: tuple[float, InputError | Unavailable] | None = None
        self._lock, self._few = Lock(), BoundedSemaphore(PARALLEL_SIGN_INS)

    def authorization_url(self, going: SignInTransaction) -> str:
        """Return the provider's URL to which the browser is redirected to sign in.

        Raises:
            Unavailable: As in `fetch_metadata`.
            InputError: As in `fetch_metadata`.
        """
        found = self._metadata()
        with self._client(found) as client:
            url, _ = client.create_authorization_url(
                found.authorization_endpoint, state=going.state, code_verifier=going.verifier, nonce=going.nonce
            )
        return str(url)

    def subject(self, answer: Mapping[str, str], going: SignInTransaction) -> str:
        """Exchange the code in the provider's answer for the subject who signed in.

        Raises:
            Refused: The answer belongs to another sign-in or provider, or its token is not valid.
            Unavailable: The provider does not respond as expected, or too many people sign in at the same time.
        """
        found = self._metadata()
        _require_valid_answer(answer, found)
        if not self._few.acquire(blocking=False):
            raise Unavailable("several people sign in at this moment; try again")
        try:
            token = self._token(found, answer["code"], going)
            keys = get_json(found.jwks_uri)
        finally:
            self._few.release()
        return id_token.subject(
            token, keys, self.settings.issuer, self.settings.client_id, going.nonce, time.time()
        )  # fmt: skip

    def _token(self, found: ProviderMetadata, code: str, going: SignInTransaction) -> str:
        try:
            with self._client(found) as client:
                given = client.fetch_token(
                    found.token_endpoint, grant_type="authorization_code", code=code, code_verifier=going.verifier
                )
        except OAuthError as error:
            raise Refused(f"the provider refuses this sign-in: {_code(error.error)}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError) as error:
            raise Unavailable(f"the sign-in's provider gives no token ({type(error).__name__})") from None
        token = given.get("id_token")
        if not isinstance(token, str):
            raise Refused("the provider gives no ID token; the client has to be one of OpenID Connect, scope openid")
        return token

    def _client(self, found: ProviderMetadata) -> OAuth2Client:
        known = self.settings
        by_post = "client_secret_basic" not in found.token_endpoint_auth_methods_supported
        method = "none" if not known.client_secret else "client_secret_post" if by_post else "client_secret_basic"
        return OAuth2Client(
            known.client_id, known.client_secret or None, token_endpoint_auth_method=method, scope="openid",
            redirect_uri=self.callback, code_challenge_method="S256", transport=BoundedTransport(), timeout=TIMEOUT,
        )  # fmt: skip

    def _metadata(self) -> ProviderMetadata:
        """Return the metadata, cached for METADATA_CACHE_SECONDS.

        After a failure, no request is made for RETRY_DELAY_SECONDS.
        """
        if not self._lock.acquire(timeout=1):
            raise Unavailable("the sign-in's provider is slow to answer; try again")
        try:
            if self._failed and time.monotonic() < self._failed[0]:
                raise self._failed[1]
            if self._found is None or time.monotonic() - self._found[0] > METADATA_CACHE_SECONDS:
                self._found = time.monotonic(), fetch_metadata(self.settings.issuer)
            return self._found[1]
        except (InputError, Unavailable) as error:
            self._failed = time.monotonic() + RETRY_DELAY_SECONDS, error
            raise
        finally:
            self._lock.release()


def fetch_metadata(issuer: str) -> ProviderMetadata:
    """Fetch the metadata of a provider.

    Raises:
        Unavailable: The provider does not respond with metadata.
        InputError: The metadata belongs to another issuer, or an endpoint does not use TLS.
    """
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        found = ProviderMetadata.model_validate(get_json(url))
    except ValidationError as error:
        raise Unavailable(
            f"{url}: expected what OpenID Connect Discovery says of a provider ({error_text(error)})"
        ) from None
    if found.issuer != issuer:
        raise InputError(f"{url}: expected issuer {issuer}, got {found.issuer!r}; set {ISSUER} as its tokens say it")
    for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
        if not (address.startswith("https://") or _on_this_machine(issuer, address)):
            raise InputError(f"{url}: expected addresses with https, got {address!r}")
    return found


def _on_this_machine(issuer: str, address: str) -> bool:
    """Return whether issuer and address have the same origin without TLS. Only issuers on loopback may lack TLS."""
    try:
        return issuer.startswith("http://") and urlsplit(address)[:2] == urlsplit(issuer)[:2]
    except ValueError:  # for example `http://[`, an incomplete IPv6 address
        return False


def _require_valid_answer(answer: Mapping[str, str], found: ProviderMetadata) -> None:
    """Raise Refused for an answer of another provider (RFC 9207), an error, or an answer without a code."""
    said = answer.get("iss")
    if said != found.issuer and (said or found.authorization_response_iss_parameter_supported):
        raise Refused(f"this answer is of another provider than {found.issuer}")
    if answer.get("error"):
        raise Refused(f"the provider refuses this sign-in: {_code(answer['error'])}")
    if not answer.get("code"):
        raise Refused("the provider's answer has no code")


def _code(given: object) -> str:
    """Return an error code if it has the form of RFC 6749, and a fixed text for any other text of the provider."""
    return str(given) if re.fullmatch("[a-z_]{1,64}", str(given)) else "it names no reason"
