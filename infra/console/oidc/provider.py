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
from infra.console.oidc.http import REQUEST_TIMEOUT, BoundedTransport, get_json
from infra.console.oidc.settings import ISSUER_VARIABLE, ProviderSettings
from infra.console.oidc.transactions import SignInTransaction
from tasks.core.documents.document import document_error_message
from tasks.core.errors import InputError, Refused, Unavailable

METADATA_CACHE_SECONDS = 600
"""Seconds for which the provider's metadata is cached. The provider's keys are fetched at each sign-in."""
RETRY_DELAY_SECONDS = 5
MAX_PARALLEL_SIGN_INS = 8
"""Maximum number of sign-ins that wait for the provider at the same time. If the provider is slow, the other threads
remain free for pages."""


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
        self._cached_metadata: tuple[float, ProviderMetadata] | None = None
        self._last_failure: tuple[float, InputError | Unavailable] | None = None
        self._lock, self._sign_in_slots = Lock(), BoundedSemaphore(MAX_PARALLEL_SIGN_INS)

    def authorization_url(self, transaction: SignInTransaction) -> str:
        """Return the URL at the provider to which the browser is redirected for the sign-in.

        Raises:
            Unavailable: As in `fetch_metadata`.
            InputError: As in `fetch_metadata`.
        """
        found = self._get_metadata()
        with self._make_client(found) as client:
            url, _ = client.create_authorization_url(
                found.authorization_endpoint,
                state=transaction.state,
                code_verifier=transaction.verifier,
                nonce=transaction.nonce,
            )
        return str(url)

    def exchange_code(self, answer: Mapping[str, str], transaction: SignInTransaction) -> str:
        """Exchange the code in the provider's answer for the subject who signed in.

        Raises:
            Refused: The answer belongs to another sign-in or provider, or its token is not valid.
            Unavailable: The provider does not respond as expected, or too many people sign in at the same time.
        """
        found = self._get_metadata()
        _require_valid_answer(answer, found)
        if not self._sign_in_slots.acquire(blocking=False):
            raise Unavailable("several people sign in at this moment; try again")
        try:
            token = self._fetch_id_token(found, answer["code"], transaction)
            keys = get_json(found.jwks_uri)
        finally:
            self._sign_in_slots.release()
        return id_token.verify_id_token(
            token, keys, self.settings.issuer, self.settings.client_id, transaction.nonce, time.time()
        )  # fmt: skip

    def _fetch_id_token(self, metadata: ProviderMetadata, code: str, transaction: SignInTransaction) -> str:
        try:
            with self._make_client(metadata) as client:
                given = client.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=transaction.verifier,
                )
        except OAuthError as error:
            raise Refused(f"the provider refuses this sign-in: {_safe_error_code(error.error)}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError) as error:
            raise Unavailable(f"the sign-in's provider gives no token ({type(error).__name__})") from None
        token = given.get("id_token")
        if not isinstance(token, str):
            raise Refused("the provider gives no ID token; the client has to be one of OpenID Connect, scope openid")
        return token

    def _make_client(self, metadata: ProviderMetadata) -> OAuth2Client:
        known = self.settings
        by_post = "client_secret_basic" not in metadata.token_endpoint_auth_methods_supported
        method = "none" if not known.client_secret else "client_secret_post" if by_post else "client_secret_basic"
        return OAuth2Client(
            known.client_id, known.client_secret or None, token_endpoint_auth_method=method, scope="openid",
            redirect_uri=self.callback, code_challenge_method="S256",
            transport=BoundedTransport(), timeout=REQUEST_TIMEOUT,
        )  # fmt: skip

    def _get_metadata(self) -> ProviderMetadata:
        """Return the metadata, cached for METADATA_CACHE_SECONDS.

        After a failure, no request is made for RETRY_DELAY_SECONDS.
        """
        if not self._lock.acquire(timeout=1):
            raise Unavailable("the sign-in's provider is slow to answer; try again")
        try:
            if self._last_failure and time.monotonic() < self._last_failure[0]:
                raise self._last_failure[1]
            if self._cached_metadata is None or time.monotonic() - self._cached_metadata[0] > METADATA_CACHE_SECONDS:
                self._cached_metadata = time.monotonic(), fetch_metadata(self.settings.issuer)
            return self._cached_metadata[1]
        except (InputError, Unavailable) as error:
            self._last_failure = time.monotonic() + RETRY_DELAY_SECONDS, error
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
            f"{url}: expected what OpenID Connect Discovery says of a provider ({document_error_message(error)})"
        ) from None
    if found.issuer != issuer:
        raise InputError(
            f"{url}: expected issuer {issuer}, got {found.issuer!r}; set {ISSUER_VARIABLE} as its tokens say it"
        )
    for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
        if not (address.startswith("https://") or _share_origin_without_tls(issuer, address)):
            raise InputError(f"{url}: expected addresses with https, got {address!r}")
    return found


def _share_origin_without_tls(issuer: str, address: str) -> bool:
    """Return whether an issuer without TLS has the same origin as an address.

    Only issuers on loopback may lack TLS.
    """
    try:
        return issuer.startswith("http://") and urlsplit(address)[:2] == urlsplit(issuer)[:2]
    except ValueError:  # for example `http://[`, an incomplete IPv6 address
        return False


def _require_valid_answer(answer: Mapping[str, str], metadata: ProviderMetadata) -> None:
    """Raise Refused if the answer is from another provider (RFC 9207), reports an error, or contains no code."""
    said = answer.get("iss")
    if said != metadata.issuer and (said or metadata.authorization_response_iss_parameter_supported):
        raise Refused(f"this answer is of another provider than {metadata.issuer}")
    if answer.get("error"):
        raise Refused(f"the provider refuses this sign-in: {_safe_error_code(answer['error'])}")
    if not answer.get("code"):
        raise Refused("the provider's answer has no code")


def _safe_error_code(error_code: object) -> str:
    """Return the provider's error code if it has the format of RFC 6749, or else a fixed message."""
    return str(error_code) if re.fullmatch("[a-z_]{1,64}", str(error_code)) else "it names no reason"
