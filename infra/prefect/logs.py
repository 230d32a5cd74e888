"""What a run has logged, as the Prefect server keeps it.

The server is asked without Prefect's client, which takes seconds to import, and reads settings from the folder that the
process is in.
"""

import base64
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from flows import deployed
from infra.prefect import access, server
from tasks.core.config import Frozen
from tasks.core.errors import Unavailable
from tasks.ledger.ledger import Ledger

SECONDS = 5.0
FLOW_RUNS = 50
"""Executions of a run whose lines are looked at, the newest."""
MOST = 200
"""Lines that the server gives at once."""
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
    try:
        with httpx.Client(base_url=up.api, headers=_headers(given), timeout=SECONDS) as client:
            _carry_token(client)
            ours = [deployed.name(root), *(deployed.in_pool(ledger, pool) for pool in pools)]
            wanted = {"flow_runs": {"name": {"any_": [run]}}, "deployments": {"name": {"any_": ours}}}
            made = _ask(client, "/flow_runs/filter", wanted | {"sort": "START_TIME_DESC", "limit": FLOW_RUNS})
            if not made:
                return []
            ids = [flow_run["id"] for flow_run in made]
            of = {"logs": {"flow_run_id": {"any_": ids}}, "sort": "TIMESTAMP_DESC", "limit": MOST}
            said = _ask(client, "/logs/filter", of)
    except httpx.HTTPError as error:
        raise Unavailable(f"the Prefect server at {up.api} does not answer ({error})") from error
    return [
        Line(time=line["timestamp"], level=LEVELS.get(line["level"], str(line["level"])), text=line["message"])
        for line in reversed(said)
    ]


def _headers(given: dict[str, str]) -> dict[str, str]:
    """As Prefect's own client authenticates: a user and password, or a key."""
    if secret := given.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    return {"Authorization": f"Bearer {key}"} if (key := given.get("PREFECT_API_KEY")) else {}


def _carry_token(client: httpx.Client) -> None:
    """A server against forged requests gives each client a token that its POSTs carry."""
    me = str(uuid.uuid4())
    answer = client.get("/csrf-token", params={"client": me})
    if answer.status_code != httpx.codes.OK:  # a server without
        return
    client.headers.update({"Prefect-Csrf-Client": me, "Prefect-Csrf-Token": answer.json()["token"]})


def _ask(client: httpx.Client, path: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post(path, json=wanted)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found
