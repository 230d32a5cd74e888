"""Requests to the Prefect server without Prefect's client.

Importing the client takes seconds, and it reads settings from the current folder.
"""

import base64
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from infra.prefect import access
from infra.prefect.server import RunningPrefect
from tasks.core.errors import DOCUMENT_ERRORS, Unavailable
from tasks.core.formatting import format_url
from tasks.core.json_text import parse

RESPONSE_TIMEOUT_SECONDS = 5.0
MAX_RESPONSE_BYTES = 4 << 20


@contextmanager
def connected(root: Path, up: RunningPrefect) -> Iterator[httpx.Client]:
    """Yield a client of the running Prefect server, whose POST requests the server accepts.

    Raises:
        Unavailable: The server does not respond in time, or its response is not Prefect's.
    """
    given = access.client_environment(root, up.api, is_own_server=up.server is not None)
    try:
        with httpx.Client(
            base_url=up.api, headers=_authentication_headers(given), timeout=RESPONSE_TIMEOUT_SECONDS
        ) as client:
            _add_csrf_token(client)
            yield client
    except httpx.HTTPError as error:
        why = format_url(str(error))
        raise Unavailable(f"the Prefect server at {format_url(up.api)} does not answer ({why})") from error
    except DOCUMENT_ERRORS as error:
        raise Unavailable(f"what answers at {format_url(up.api)} says something else than Prefect does") from error


def post(client: httpx.Client, path: str, wanted: dict[str, Any]) -> Any:
    with client.stream("POST", path, json=wanted) as answer:
        answer.raise_for_status()
        return _read_json(answer)


def _authentication_headers(environment: dict[str, str]) -> dict[str, str]:
    """Return the authentication header that Prefect's own client would send: username and password, or an API key."""
    if secret := environment.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    return {"Authorization": f"Bearer {key}"} if (key := environment.get("PREFECT_API_KEY")) else {}


def _add_csrf_token(client: httpx.Client) -> None:
    """Request a CSRF token, if the server requires one in POST requests, and add it to the client's headers."""
    me = str(uuid.uuid4())
    with client.stream("GET", "/csrf-token", params={"client": me}) as answer:
        if answer.status_code == httpx.codes.OK:  # a server without CSRF protection responds with another status
            client.headers.update({"Prefect-Csrf-Client": me, "Prefect-Csrf-Token": _read_json(answer)["token"]})


def _read_json(answer: httpx.Response) -> Any:
    began, content = time.monotonic(), b""
    for piece in answer.iter_bytes():
        content += piece
        if len(content) > MAX_RESPONSE_BYTES or time.monotonic() - began > RESPONSE_TIMEOUT_SECONDS:
            raise ValueError(f"more than {MAX_RESPONSE_BYTES} bytes, or than {RESPONSE_TIMEOUT_SECONDS} s")
    return parse(content)
