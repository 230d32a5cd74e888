"""People at a console in this process, who need no password to be there."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from infra.console.app import application, session_cookie_name
from infra.console.database import open_database
from infra.console.sessions import Sessions
from infra.console.site import Site
from tests.in_process import adopt, hallmark

ORIGIN = "http://127.0.0.1:4220"


def console_of(root: Path) -> FastAPI:
    """Return the console of a checkout, at ORIGIN."""
    app = application(Site(root, ORIGIN))
    app.state.root = root
    return app


def govern(root: Path, people: str) -> Path:
    """Put other people in force in a checkout of the tiny project; returns the checkout."""
    (root / "infra" / "governance" / "people.yaml").write_text(people)
    hallmark(root, "init")
    adopt(root)
    return root


def visiting(app: FastAPI, origin: str = ORIGIN, **how: Any) -> TestClient:
    """Somebody whom the console does not know yet."""
    return TestClient(app, base_url=origin, follow_redirects=False, headers={"origin": origin}, **how)


def signed_in(client: TestClient, person: str) -> TestClient:
    """Give a client of a `console_of` a session of a person's, as a right password does (test_accounts.py)."""
    sessions = Sessions(open_database(client.app.state.root / ".hallmark"))
    client.cookies.set(session_cookie_name(ORIGIN), sessions.begin_session(person, datetime.now(UTC)))
    return client


def reader_of(app: FastAPI, person: str) -> TestClient:
    """A person who is signed in at a `console_of`."""
    return signed_in(visiting(app), person)


def seated(app: FastAPI, root: Path, person: str) -> TestClient:
    """Somebody who is signed in, and whose requests carry the token of their forms."""
    client = visiting(app)
    token = Sessions(open_database(root / ".hallmark")).begin_session(person, datetime.now(UTC))
    client.cookies.set(session_cookie_name(ORIGIN), token)
    (form_token,) = re.findall('data-form-token="([^"]+)"', client.get("/key").text)
    client.headers["x-form-token"] = form_token
    return client


def post_fitting(client: TestClient, path: str, run: str = "none", label: str = "none-1") -> Any:
    """Post to a route of a statement to sign, and return its answer.

    The path and body have made-up values for everything else that some such route takes.
    """
    path = path.format(run=run, gate="data", incident="none", label=label, name="none")
    wanted = {
        "reason": "x", "public_key": "ssh-ed25519 AAAA", "verb": "approve", "evidence": "0" * 64, "deed": "pause",
        "payload": "", "signature": "",
    }  # fmt: skip
    answer = client.post(path, json=wanted)
    while answer.status_code == 400 and "Extra inputs" in answer.json()["error"]:
        surplus = [each.split(":")[0] for each in answer.json()["error"].split("; ") if "Extra inputs" in each]
        wanted = {name: value for name, value in wanted.items() if name not in surplus}
        answer = client.post(path, json=wanted)
    return answer
