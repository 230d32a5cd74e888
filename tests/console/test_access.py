"""Every route of the console is in its tables, and answers each role as they say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from infra.console.actions import ACTIONS
from infra.console.app import session_cookie_name
from infra.console.database import SESSIONS, open_database
from infra.console.pages import PAGES, api_path, csv_paths
from infra.console.sessions import Sessions
from tests.console.conftest import PASSWORD, WAITING
from tests.console.visits import ORIGIN, signed_in, visiting
from tests.whole_run import RUN

GIVEN = {
    "run": RUN,
    "gate": "data",
    "label": "tiny-1",
    "before": "tiny-1",
    "now": "tiny-1",
    "first": RUN,
    "second": WAITING,
    "number": "5",
    "incident": "none",
    "name": "nightly",
    "path": "",
}
NOBODY = "nobody"
ROLES = ("data-owner", "ml-engineer", "product-owner", "risk-officer")


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return visiting(app)


def tabled() -> set[tuple[str, str]]:
    pages = {("GET", path) for page in PAGES for path in (page.path, api_path(page))}
    lists = {("GET", path) for page in PAGES for path in csv_paths(page).values()}
    return pages | lists | {(action.method, action.path) for action in ACTIONS}


def routes(app: FastAPI) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        if isinstance(route, Mount):
            assert route.path in ("/static", "/style")
            continue
        assert isinstance(route, Route) or hasattr(route, "methods")
        found |= {(method, route.path) for method in route.methods - {"HEAD"}}
    return found


def test_there_is_no_route_that_the_tables_do_not_have(app: FastAPI) -> None:
    assert routes(app) == tabled()


@pytest.mark.attack(rights="visitor", stopped="who is not signed in is shown a form to sign in with")
@pytest.mark.parametrize("path", sorted(path for method, path in tabled() if method == "GET"))
def test_who_is_not_signed_in_is_shown_nothing(client: TestClient, path: str) -> None:
    who = {action.path: action.access for action in ACTIONS}.get(path, "person")
    answer = client.get(path.replace("{path:path}", "").format(**GIVEN))
    if path.startswith("/sign-in/"):  # no provider signs people in here
        assert answer.status_code == 404
        return
    by_program = who == "scraper" or path.startswith("/api/")
    assert answer.status_code == (200 if who == "anybody" else 401 if by_program else 303)
    assert who == "anybody" or "tiny" not in answer.text


@pytest.mark.parametrize("person", ROLES)
def test_every_role_reads_every_page(client: TestClient, person: str) -> None:
    """Pages are read as HTML; test_tables.py reads JSON and tables of each as one role, and the next test as all."""
    reads_all(client, person, {page.path for page in PAGES} | {action.path for action in ACTIONS})


@pytest.mark.soak
@pytest.mark.parametrize("person", ROLES)
def test_every_role_reads_every_page_in_every_form(client: TestClient, person: str) -> None:
    reads_all(client, person, {path for _, path in tabled()})


def reads_all(client: TestClient, person: str, paths: set[str]) -> None:
    signed_in(client, person)
    for method, path in sorted(tabled()):
        elsewhere = path.endswith(("/report", "/measured", "/metrics")) or path.startswith("/sign-in/")
        if method != "GET" or elsewhere or path not in paths:
            continue
        answer = client.get(path.replace("{path:path}", "").format(**GIVEN))
        wanted = 400 if "{incident}" in path else 200
        assert answer.status_code == wanted, (path, answer.text)


@pytest.mark.attack(rights="visitor", stopped="a POST carries its session's own token, and its page's origin")
def test_nothing_is_done_without_a_form_of_the_session(client: TestClient) -> None:
    """Neither with another's token, nor from another origin, nor by who is not signed in."""
    signed_in(client, "data-owner")
    wanted = {"verb": "approve", "evidence": "0" * 64, "reason": "x", "public_key": "ssh-ed25519 AAAA"}
    for action in (each for each in ACTIONS if each.method == "POST" and each.access == "person"):
        path = action.path.format(run=WAITING, gate="data", incident="none", label="tiny-1", name="nightly")
        form = {"form_token": "other", "record": "messages:1", "subject": "Ada", "reason": "x"}
        body = {"data": form} if path in ("/sign-out", "/where", f"/runs/{WAITING}/shown") else {"json": wanted}
        assert client.post(path, **body, headers={"x-form-token": "other"}).status_code in (400, 409)
        assert client.post(path, **body, headers={"origin": "http://evil.example"}).status_code == 403
        assert client.post(path, **body, headers={"origin": ""}).status_code == 403
        assert visiting(client.app).post(path, **body).status_code in (303, 401)
    assert client.get("/").status_code == 200, "still signed in"


@pytest.mark.attack(rights="visitor", stopped="the console answers to its own name alone")
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "localhost:4220", "127.0.0.1:4220.evil.example"])
def test_another_name_for_this_machine_is_not_answered(client: TestClient, host: str) -> None:
    assert client.get("/sign-in", headers={"host": host}).status_code == 421


@pytest.mark.attack(rights="visitor", stopped="after signing in a reader goes to a page of the console")
@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example/", "/\tevil", "javascript:alert(1)", "evil", "/\n/x"],
)
def test_no_page_sends_a_reader_elsewhere(client: TestClient, path: str) -> None:
    answer = client.post("/sign-in", data={"person": "data-owner", "password": PASSWORD, "next": path})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_who_lost_their_role_or_session_is_out(client: TestClient, lived_in: Path) -> None:
    sessions = Sessions(open_database(lived_in / ".hallmark"))
    sessions.end_sessions_of("colleague")  # those of tests before
    signed_in(client, "colleague")
    assert client.get("/").status_code == 200
    assert sessions.end_sessions_of("colleague") == 1
    assert client.get("/").status_code == 303
    client.cookies.set(session_cookie_name(ORIGIN), "made up")
    assert client.get("/api/runs").status_code == 401


def test_headers_let_a_browser_run_nothing_of_others(client: TestClient) -> None:
    answer = client.get("/sign-in")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and answer.headers["cache-control"] == "no-store"
    cookie = client.post("/sign-in", data={"person": "data-owner", "password": PASSWORD}).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie


@pytest.mark.attack(rights="visitor", stopped="what a browser may send is bounded")
def test_a_body_without_end_is_not_read(client: TestClient) -> None:
    assert client.post("/sign-in", content=b"x" * (300 << 10)).status_code == 413
    assert client.post("/sign-in", content=iter([b"x"])).status_code == 411


@pytest.mark.parametrize(
    "path",
    [
        "/runs?most=0", "/runs?most=-1", "/runs?most=10001", "/ledger?below=9223372036854775808", "/ledger?below=-1",
        "/ledger/9223372036854775808", "/ledger/-1", "/ledger/99999", "/releases?before=nonsense",
        "/releases?before=2026-01-01", "/production?when=never", "/runs/none", "/runs/..%2f..", "/gates/none/price",
        f"/runs/{RUN}/docs/%00", f"/runs/{RUN}/docs/{'a' * 300}", "/audit?release=none-1", "/sign-in?next=//[",
    ],
)  # fmt: skip
def test_an_odd_request_is_answered_in_words(app: FastAPI, path: str) -> None:
    reader = TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN}, raise_server_exceptions=False)
    answer = signed_in(reader, "data-owner").get(path)
    assert answer.status_code < 500 and "Traceback" not in answer.text
    if not path.startswith(("/sign-in", "/runs/", "/releases?before=2026")):
        assert "error" in reader.get(f"/api{path}").json()


@pytest.mark.attack(rights="visitor", stopped="what a browser may send says how long it is, and is no longer")
def test_a_body_in_pieces_is_not_read(client: TestClient) -> None:
    piece = {"content-length": "5", "transfer-encoding": "chunked", "content-type": "application/json"}
    assert client.post("/gates/x/data/draw", content=b"{}", headers=piece).status_code == 411


CONTENT_TYPES = {
    "multipart/form-data; boundary=X; charset=punycode": b"--X--\r\n",
    "application/x-www-form-urlencoded; charset=punycode": b"person=x",
    "application/json; charset=utf-7": b"{}",
    "multipart/form-data; boundary=X": b"--X--\r\n",
    "text/plain": b"{}",
    "application/jsonx": b"{}",
    "": b"{}",
}


@pytest.mark.attack(rights="visitor", stopped="no form names the charset in which its fields are read")
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_body_of_another_type_is_not_parsed(client: TestClient, content_type: str) -> None:
    signed_in(client, "data-owner")
    for method, path in sorted(tabled()):
        if method != "GET":
            answer = client.request(
                method,
                path.format(**GIVEN),
                content=CONTENT_TYPES[content_type],
                headers={"content-type": content_type},
            )
            assert answer.status_code == 415, path


@pytest.mark.attack(rights="visitor", stopped="a form in a charset that takes quadratic time is answered at once")
def test_a_field_in_punycode_is_not_decoded(client: TestClient) -> None:
    bomb = "\U00010400".encode("punycode") + b"b" * 250_000
    fields = {b"person-": b"x-", b"password-": b"y-", b"next-": bomb}
    part = b'--X\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = b"".join(part % field for field in fields.items()) + b"--X--\r\n"
    form = {"content-type": "multipart/form-data; boundary=X; charset=punycode"}
    assert client.post("/sign-in", content=body, headers=form).status_code == 415


@pytest.mark.parametrize("charset", ["", ";charset=UTF-8", "; charset=utf-8"])
def test_a_form_in_utf_8_is_read(client: TestClient, charset: str) -> None:
    form = {"content-type": f"application/x-www-form-urlencoded{charset}"}
    content = urlencode({"person": "data-owner", "password": PASSWORD})
    assert client.post("/sign-in", content=content, headers=form).status_code == 303


def test_an_open_page_is_no_use_of_a_session(client: TestClient, lived_in: Path) -> None:
    signed_in(client, "ml-engineer")
    store = open_database(lived_in / ".hallmark")
    with store.begin() as connection:
        connection.execute(update(SESSIONS).values(seen=datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=20)))
    assert client.get("/", headers={"hx-request": "true"}).status_code == 200
    with store.connect() as connection:
        seen = connection.execute(select(SESSIONS.c.seen).order_by(SESSIONS.c.seen.desc())).scalars().first()
    assert datetime.now(UTC).replace(tzinfo=None) - seen > timedelta(minutes=19)
    assert client.get("/").status_code == 200
