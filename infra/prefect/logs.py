"""What a run has logged, as the Prefect server keeps it.

The server is asked without Prefect's client, which takes seconds to import, and reads settings from the folder that the
process is in.
"""

import base64
import json
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from flows import deployed
from infra.prefect import access, server
from tasks.core.config import Frozen
from tasks.core.errors import NO_SUCH_DOCUMENT, Unavailable
from tasks.ledger.ledger import Ledger

SECONDS = 5.0
"""For an answer, whole."""
FLOW_RUNS = 50
"""Executions of a run whose lines are looked at, the newest."""
MOST = 200
"""Lines that the server gives at once."""
LONGEST = 4_000
"""Letters of a line."""
MOST_BYTES = 4 << 20
"""Of an answer."""
LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


class Line(Frozen):
    time: datetime
    level: str
    text: str


def read(root: Path, ledger: Ledger, run: str, pools: list[str]) -> list[Line]:
    """The last lines of a run, oldest first, of this checkout's runner and of the work pools.

    Raises Unavailable where the server is not up, or does not answer.
    """
    up = server.find(root)
    if up is None:
        raise Unavailable("the Prefect server, which keeps what runs log, is not up here; `hallmark up` starts it")
    given = access.environment(root, up.api, own=up.server is not None)
    ours = [deployed.name(root), *(deployed.in_pool(ledger, pool) for pool in pools)]
    try:
        with httpx.Client(base_url=up.api, headers=_headers(given), timeout=SECONDS) as client:
            return _lines(client, run, ours)
    except httpx.HTTPError as error:
        raise Unavailable(f"the Prefect server at {up.api} does not answer ({error})") from error
    except NO_SUCH_DOCUMENT as error:
        raise Unavailable(f"what answers at {up.api} says something else than Prefect does") from error


def _lines(client: httpx.Client, run: str, deployments: list[str]) -> list[Line]:
    _carry_token(client)
    wanted = {"flow_runs": {"name": {"any_": [run]}}, "deployments": {"name": {"any_": deployments}}}
    made = _ask(client, "/flow_runs/filter", wanted | {"sort": "START_TIME_DESC", "limit": FLOW_RUNS})
    if not made:
        return []
    of = {"flow_run_id": {"any_": [str(flow_run["id"]) for flow_run in made]}}
    said = _ask(client, "/logs/filter", {"logs": of, "sort": "TIMESTAMP_DESC", "limit": MOST})
    return [
        Line(time=line["timestamp"], level=LEVELS.get(line["level"], "other"), text=str(line["message"])[:LONGEST])
        for line in reversed(said[:MOST])
    ]


def _headers(given: dict[str, str]) -> dict[str, str]:
    """As Prefect's own client authenticates: a user and password, or a key."""
    if secret := given.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    return {"Authorization": f"Bearer {key}"} if (key := given.get("PREFECT_API_KEY")) else {}


def _carry_token(client: httpx.Client) -> None:
    """A server against forged requests gives each client a token that its POSTs carry."""
    me = str(uuid.uuid4())
    with client.stream("GET", "/csrf-token", params={"client": me}) as answer:
        if answer.status_code == httpx.codes.OK:  # others know none
            client.headers.update({"Prefect-Csrf-Client": me, "Prefect-Csrf-Token": _said(answer)["token"]})


def _ask(client: httpx.Client, path: str, wanted: dict[str, Any]) -> Any:
    with client.stream("POST", path, json=wanted) as answer:
        answer.raise_for_status()
        return _said(answer)


def _said(answer: httpx.Response) -> Any:
    """Raises ValueError for an answer that is too long, or takes too long."""
    began, content = time.monotonic(), b""
    for piece in answer.iter_bytes():
        content += piece
        if len(content) > MOST_BYTES or time.monotonic() - began > SECONDS:
            raise ValueError(f"more than {MOST_BYTES} bytes, or than {SECONDS} s")
    return json.loads(content)
