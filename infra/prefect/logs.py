"""Log lines of a run, from the Prefect server.

Prefect's client is not used. Importing it takes seconds, and it reads settings from the current folder.
"""

import base64
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from flows import deployment_names
from infra.prefect import access, server
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import DOCUMENT_ERRORS, Unavailable
from tasks.core.formatting import format_url
from tasks.core.json_text import parse
from tasks.ledger.ledger import Ledger

RESPONSE_TIMEOUT_SECONDS = 5.0
MAX_FLOW_RUNS = 50
"""Maximum number of a run's flow runs whose log lines are read, newest first."""
MAX_LINES = 200
"""Maximum number of log lines. The server returns no more in one response."""
MAX_LINE_LENGTH = 4_000
MAX_RESPONSE_BYTES = 4 << 20
LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


class LogLine(FrozenModel):
    time: datetime
    level: str
    text: str


def read_log_lines(root: Path, ledger: Ledger, run: str, pools: list[str]) -> list[LogLine]:
    """Return the last log lines of a run, oldest first, from this checkout's runner and from the work pools.

    Raises:
        Unavailable: The server is not running or does not respond.
    """
    up = server.find(root)
    if up is None:
        raise Unavailable("the Prefect server, which keeps what runs log, is not up here; `hallmark up` starts it")
    given = access.client_environment(root, up.api, is_own_server=up.server is not None)
    ours = [
        deployment_names.runner_deployment_name(root),
        *(deployment_names.pool_deployment_name(ledger, pool) for pool in pools),
    ]
    try:
        with httpx.Client(
            base_url=up.api, headers=_authentication_headers(given), timeout=RESPONSE_TIMEOUT_SECONDS
        ) as client:
            return _fetch_lines(client, run, ours)
    except httpx.HTTPError as error:
        why = format_url(str(error))
        raise Unavailable(f"the Prefect server at {format_url(up.api)} does not answer ({why})") from error
    except DOCUMENT_ERRORS as error:
        raise Unavailable(f"what answers at {format_url(up.api)} says something else than Prefect does") from error


def _fetch_lines(client: httpx.Client, run: str, deployments: list[str]) -> list[LogLine]:
    _add_csrf_token(client)
    wanted = {"flow_runs": {"name": {"any_": [run]}}, "deployments": {"name": {"any_": deployments}}}
    made = _post(client, "/flow_runs/filter", wanted | {"sort": "START_TIME_DESC", "limit": MAX_FLOW_RUNS})
    if not made:
        return []
    of = {"flow_run_id": {"any_": [str(flow_run["id"]) for flow_run in made]}}
    said = _post(client, "/logs/filter", {"logs": of, "sort": "TIMESTAMP_DESC", "limit": MAX_LINES})
    return [
        LogLine(
            time=line["timestamp"],
            level=LEVELS.get(line["level"], "other"),
            text=str(line["message"])[:MAX_LINE_LENGTH],
        )
        for line in reversed(said[:MAX_LINES])
    ]


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


def _post(client: httpx.Client, path: str, wanted: dict[str, Any]) -> Any:
    with client.stream("POST", path, json=wanted) as answer:
        answer.raise_for_status()
        return _read_json(answer)


def _read_json(answer: httpx.Response) -> Any:
    began, content = time.monotonic(), b""
    for piece in answer.iter_bytes():
        content += piece
        if len(content) > MAX_RESPONSE_BYTES or time.monotonic() - began > RESPONSE_TIMEOUT_SECONDS:
            raise ValueError(f"more than {MAX_RESPONSE_BYTES} bytes, or than {RESPONSE_TIMEOUT_SECONDS} s")
    return parse(content)
