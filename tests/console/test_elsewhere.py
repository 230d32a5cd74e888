"""Sign-in at a provider of OpenID Connect: with a real one in a process of its own, and with one that lies."""

import base64
import gzip
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from infra.console.app import application, session_cookie_name
from infra.console.oidc.provider import Provider
from infra.console.oidc.settings import ProviderSettings, SignInMethods, sign_in_methods
from infra.console.oidc.transactions import MAX_SIGN_IN_SECONDS, SignInTransactions
from infra.console.site import Site
from tasks.core.errors import InputError, Refused, Unavailable
from tests.checkouts import Checkouts
from tests.console import providers
from tests.console.browsing import NEEDED, browser
from tests.console.conftest import serving
from tests.console.providers import CLIENT, SECRET, Lying
from tests.console.visits import ORIGIN, govern, visiting
from tests.tiny_project import PEOPLE

__all__ = ["browser"]
SESSION, WAY = session_cookie_name(ORIGIN), f"{session_cookie_name(ORIGIN)}-way"
HUGE = b"x" * 10_000_000


class Place(NamedTuple):
    root: Path
    real: str
    lying: Lying


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Iterator[Place]:
    with providers.real() as real, providers.lying() as lying:
        people = PEOPLE.replace(
            "name: Data owner,", f'name: Data owner, sign_in: [{{issuer: "{lying.url}", subject: owner-1}}],'
        ).replace(
            "name: ML engineer,", f'name: ML engineer, sign_in: [{{issuer: "{real}", subject: "2482"}}],'
        ) + (
            f'  - {{id: later, name: Later, sign_in: [{{issuer: "{lying.url}", subject: later-1}}],\n'
            "     roles: [{role: requester, valid_after: 2100-01-01}]}\n"
        )  # fmt: skip
        yield Place(govern(checkouts.ready(tmp_path_factory.mktemp("elsewhere") / "project"), people), real, lying)


@pytest.fixture
def lying(place: Place) -> Lying:
    place.lying.reset()
    return place.lying


def by(issuer: str, **more: Any) -> SignInMethods:
    return SignInMethods(
        provider=ProviderSettings(issuer=issuer, client_id=CLIENT, client_secret=SECRET, name="Example"), **more
    )


@pytest.fixture(scope="module")
def app(place: Place) -> FastAPI:
    return application(Site(place.root, ORIGIN), by(place.lying.url))


@pytest.fixture
def client(app: FastAPI, lying: Lying) -> TestClient:
    return visiting(app)


def leave(client: TestClient, lying: Lying, to: str = "/") -> dict[str, str]:
    """Go to the provider, which learns the nonce; returns what its address says."""
    answer = client.get("/sign-in/elsewhere", params={"next": to})
    assert answer.status_code == 303, answer.text
    asked = {name: each[0] for name, each in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    lying.nonce = asked["nonce"]
    return asked


def come_back(client: TestClient, asked: dict[str, str], **more: str) -> Any:
    return client.get("/sign-in/callback", params={"state": asked["state"], "code": "a code", **more})


def stays_out(client: TestClient, answer: Any, why: str, status: int = 403) -> None:
    assert (answer.status_code, SESSION in client.cookies) == (status, False), answer.text
    assert why in answer.text and client.get("/runs").status_code == 303


@NEEDED
def test_somebody_signs_in_at_a_provider_and_goes_on_where_they_wanted_to(browser: Any, place: Place) -> None:
    """From another site: the browser has the session's cookie, which is SameSite=Strict, on the very next page."""
    with serving(place.root, by(place.real, passwords=False)) as origin:
        page = browser.new_context().new_page()
        page.route("https://**", lambda route: route.abort())  # the provider's page has a style from elsewhere
        page.goto(f"{origin}/data")
        assert page.locator("[name=password]").count() == 0
        page.click("text=Sign in with Example")
        page.fill("[name=sub]", "2482")
        page.click("button:text-is('Authorize')")
        page.wait_for_url(f"{origin}/data")
        assert "ML engineer" in page.inner_text("header")
        kept = {each["name"]: each for each in page.context.cookies(origin)}
        session = kept[f"hallmark_{urlsplit(origin).port}"]
        assert (session["sameSite"], session["httpOnly"], len(kept)) == ("Strict", True, 1)
        page.click("text=Sign out")
        page.wait_for_url("**/sign-in")
        page.goto(f"{origin}/data")
        assert page.locator("text=Sign in with Example").count() == 1


def test_the_provider_is_asked_as_the_standard_says(client: TestClient, lying: Lying) -> None:
    asked = leave(client, lying, "/runs?most=5")
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", CLIENT, "openid")
    assert (asked["redirect_uri"], asked["code_challenge_method"]) == (f"{ORIGIN}/sign-in/callback", "S256")
    answer = come_back(client, asked)
    assert (answer.status_code, answer.headers["refresh"]) == (200, "0; url=/runs?most=5")
    ((_, headers, body),) = [each for each in lying.asked if each[0] == "/token"]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(body["code_verifier"][0].encode()).digest()).decode()
    assert challenge.rstrip("=") == asked["code_challenge"]
    assert (body["code"], body["redirect_uri"]) == (["a code"], [f"{ORIGIN}/sign-in/callback"])
    assert headers["Authorization"] == "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    assert "Data owner" in client.get("/runs").text and WAY not in client.cookies


@pytest.mark.parametrize(
    ("secret", "offered", "header", "body"),
    [
        ("", ["client_secret_basic"], None, {"client_id": [CLIENT]}),
        (SECRET, ["client_secret_post"], None, {"client_id": [CLIENT], "client_secret": [SECRET]}),
    ],
)
def test_a_client_says_who_it_is_as_the_provider_offers(
    lying: Lying, secret: str, offered: list[str], header: str | None, body: dict[str, list[str]]
) -> None:
    lying.discovery = {"token_endpoint_auth_methods_supported": offered}
    provider = Provider(
        ProviderSettings(issuer=lying.url, client_id=CLIENT, client_secret=secret, name="x"), f"{ORIGIN}/back"
    )
    going, _ = SignInTransactions().begin_sign_in("/", 0)
    lying.nonce = going.nonce
    assert provider.exchange_code({"code": "a code"}, going) == "owner-1"
    ((_, headers, said),) = [each for each in lying.asked if each[0] == "/token"]
    assert (headers.get("Authorization"), said | body) == (header, said)


def forged(**header: Any) -> Callable[[Lying], str]:
    return lambda lying: jwt.encode({"alg": "RS256", "kid": "its-own", **header}, lying.said(), OTHER)


def by_public_key(lying: Lying) -> str:
    signed = lying.unsigned({"alg": "HS256", "kid": "its-own"})
    mac = hmac.digest(lying.key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


OTHER = RSAKey.generate_key(2048)
TOKENS: dict[str, Callable[[Lying], str]] = {
    "unsigned": lambda lying: lying.unsigned({"alg": "none"}) + ".",
    "its public key taken for a secret": by_public_key,
    "another key under the same name": forged(),
    "a key of its own in the header": forged(jwk=OTHER.as_dict(private=False)),
    "a key that nobody knows": forged(kid="other"),
    "no token": lambda _: "x.y.z",
    "cut off": lambda lying: lying.signed()[:-10],
}


@pytest.mark.attack(rights="visitor", stopped="a token is signed by the provider's own private key")
@pytest.mark.parametrize("how", TOKENS)
def test_a_token_that_the_provider_did_not_sign(client: TestClient, lying: Lying, how: str) -> None:
    lying.token = lambda: TOKENS[how](lying)
    stays_out(client, come_back(client, leave(client, lying)), "it is not signed by its keys")
    lying.token = lying.signed
    assert come_back(client, leave(client, lying)).status_code == 200, "and one that it did sign"


@pytest.mark.attack(rights="visitor", stopped="a provider's key of RSA has at least 2,048 bits")
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_short_key_of_the_provider_signs_nobody_in(
    client: TestClient, lying: Lying, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = RSAKey.import_key(rsa.generate_private_key(65537, 1024), {"kid": "its-own"})
    monkeypatch.setattr(lying, "key", short)
    stays_out(client, come_back(client, leave(client, lying)), "gives out no key of EC, or of RSA with 2,048 bits", 503)


class FromNow(int):
    """Seconds from the moment of the test."""


@pytest.mark.attack(rights="visitor", stopped="a token is of this provider, for this console, this sign-in and now")
@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://evil.example"}, "of another issuer"), ({"iss": None}, "of another issuer"),
        ({"aud": "another"}, "for others"), ({"aud": [CLIENT, "another"]}, "for others"), ({"aud": None}, "for others"),
        ({"aud": []}, "for others"), ({"azp": "another"}, "for others"),
        ({"nonce": "another"}, "made for another sign-in"), ({"nonce": None}, "made for another sign-in"),
        ({"exp": FromNow(-3600)}, "expired"), ({"exp": None}, "expired"), ({"exp": True}, "expired"),
        ({"exp": float("nan")}, "expired"), ({"exp": "9999999999"}, "expired"),
        ({"iat": FromNow(-3600)}, "not made now"), ({"iat": FromNow(3600)}, "not made now"),
        ({"iat": None}, "not made now"), ({"nbf": FromNow(3600)}, "does not count yet"),
        ({"sub": None}, "no text of"), ({"sub": ""}, "no text of"), ({"sub": 2482}, "no text of"),
        ({"sub": "owner-1\n"}, "no text of"), ({"sub": "x" * 256}, "no text of"),
    ],
)  # fmt: skip
def test_a_token_about_something_else(client: TestClient, lying: Lying, claims: dict[str, Any], why: str) -> None:
    now = int(time.time())
    lying.claims = {name: now + value if isinstance(value, FromNow) else value for name, value in claims.items()}
    stays_out(client, come_back(client, leave(client, lying)), why)


@pytest.mark.attack(rights="visitor", stopped="who is not in people.yaml with a role now stays out")
def test_whom_people_yaml_does_not_know_stays_out(client: TestClient, lying: Lying) -> None:
    lying.subject = "<b>stranger</b>"
    answer = come_back(client, leave(client, lying))
    stays_out(client, answer, "nobody in people.yaml signs in so")
    assert "<b>" not in answer.text and "subject: &#34;&lt;b&gt;" in answer.text, "the line to add"
    lying.subject, lying.claims = "data-owner", {"email": "data-owner@example.com", "preferred_username": "data-owner"}
    stays_out(client, come_back(client, leave(client, lying)), "nobody in people.yaml signs in so")
    lying.subject = "later-1"
    stays_out(client, come_back(client, leave(client, lying)), "later holds no role")


@pytest.mark.attack(rights="visitor", stopped="an answer is to the sign-in that its browser began, and counts once")
def test_answers_of_other_sign_ins(client: TestClient, lying: Lying) -> None:
    other = visiting(client.app)
    stays_out(other, come_back(other, leave(client, lying)), "did not begin in this browser")
    theirs = leave(other, lying)
    asked = leave(client, lying)
    stays_out(client, come_back(client, theirs), "answers another sign-in than the one that this browser began last")
    stays_out(client, come_back(client, asked, iss="https://evil.example"), "of another provider")
    asked = leave(client, lying)
    way = client.cookies[WAY]
    assert come_back(client, asked).status_code == 200
    again = visiting(client.app)
    again.cookies.set(WAY, way)
    stays_out(again, come_back(again, asked), "this sign-in is over; each counts once")
    assert len([path for path, *_ in lying.asked if path == "/token"]) == 1, "the provider was asked for one alone"


@pytest.mark.attack(rights="visitor", stopped="an answer shows nothing that its sender writes")
def test_what_an_answer_says_is_not_shown(client: TestClient, lying: Lying) -> None:
    asked = leave(client, lying)
    answer = client.get(
        "/sign-in/callback", params={"state": asked["state"], "error": "call 555", "error_description": "call 556"}
    )
    stays_out(client, answer, "it names no reason")
    assert "call 55" not in answer.text
    asked = leave(client, lying)
    denied = client.get("/sign-in/callback", params={"state": asked["state"], "error": "access_denied"})
    stays_out(client, denied, "the provider refuses this sign-in: access_denied")
    stays_out(client, client.get("/sign-in/callback", params={"error": "call 555"}), "did not begin in this browser")


@pytest.mark.attack(rights="visitor", stopped="after signing in a reader goes to a page of the console")
@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example/", "/\\evil.example", "/" + "x" * 3000])
def test_no_sign_in_leads_elsewhere(client: TestClient, lying: Lying, to: str) -> None:
    assert come_back(client, leave(client, lying, to)).headers["refresh"] == "0; url=/"


def test_a_sign_in_that_takes_too_long_is_over() -> None:
    made = SignInTransactions()
    going, cookie = made.begin_sign_in("/", 0)
    with pytest.raises(Refused, match="took longer than 10 minutes"):
        made.complete_sign_in(cookie, going.state, MAX_SIGN_IN_SECONDS + 1)
    assert made.complete_sign_in(cookie, going.state, MAX_SIGN_IN_SECONDS) == going
    with pytest.raises(Refused, match="did not begin in this browser"):
        SignInTransactions().complete_sign_in(cookie, going.state, 1)


OTHERWISE = [
    (200, {}, HUGE, "answers with more than 262144 bytes"),
    (302, {"Location": "/elsewhere"}, b"", "sends the console elsewhere"),
    (307, {"Location": "/elsewhere"}, b"", "sends the console elsewhere"),
    (200, {"Content-Encoding": "gzip"}, gzip.compress(HUGE), "packs its answer"),
    (200, {}, b"[" * 200_000, "provider"), (200, {}, b"[]", "provider"), (200, {}, b"\xff", "provider"),
    (500, {}, b"{}", "provider"),
    (200, {}, b'{"keys": [1], "id_token": 1, "issuer": 1}', "provider"),
]  # fmt: skip
"""Status, headers and body of an answer, and what is said of it."""


@pytest.mark.attack(rights="visitor", stopped="a provider's answer is bounded and leads nowhere else")
@pytest.mark.parametrize("path", ["/token", "/jwks"])
@pytest.mark.parametrize("answer", OTHERWISE, ids=range(len(OTHERWISE)))
def test_a_provider_that_answers_otherwise(client: TestClient, lying: Lying, path: str, answer: Any) -> None:
    *lying.instead[path], why = answer
    got = come_back(client, leave(client, lying))
    assert got.status_code in (403, 503), got.text
    stays_out(client, got, why, got.status_code)
    assert "/elsewhere" not in [each for each, *_ in lying.asked]


def asking(lying: Lying) -> Callable[[], str]:
    provider, (going, _) = (
        Provider(by(lying.url).provider, f"{ORIGIN}/sign-in/callback"),
        SignInTransactions().begin_sign_in("/", 0),
    )
    return lambda: provider.authorization_url(going)


@pytest.mark.attack(rights="visitor", stopped="a provider's answer is bounded and leads nowhere else")
@pytest.mark.parametrize("answer", OTHERWISE, ids=range(len(OTHERWISE)))
def test_a_provider_that_says_no_addresses(lying: Lying, answer: Any) -> None:
    *lying.instead["/.well-known/openid-configuration"], why = answer
    with pytest.raises(Unavailable, match=why):
        asking(lying)()
    assert len(lying.asked) == 1


@pytest.mark.attack(rights="visitor", stopped="a provider is asked over TLS, and is the one that is configured")
@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"issuer": "https://evil.example"}, "expected issuer"),
        ({"token_endpoint": "http://evil.example/token"}, "expected addresses with https"),
        ({"jwks_uri": "http://127.0.0.1:1/jwks"}, "expected addresses with https"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "expected addresses with https"),
        ({"jwks_uri": "http://[::1"}, "expected addresses with https"),
    ],
)
def test_a_provider_with_other_addresses(lying: Lying, changed: dict[str, str], why: str) -> None:
    lying.discovery, ask = changed, asking(lying)
    for _ in range(2):
        with pytest.raises(InputError, match=why):
            ask()
    assert len(lying.asked) == 1, "nobody asks it again at once"


def test_a_provider_that_is_away_is_told_on_the_page(place: Place, lying: Lying) -> None:
    client = visiting(application(Site(place.root, ORIGIN), by("http://127.0.0.1:1")))
    stays_out(client, client.get("/sign-in/elsewhere"), "127.0.0.1, does not answer (ConnectError)", 503)


def test_passwords_sign_nobody_in_where_they_are_off(app: FastAPI, place: Place, lying: Lying) -> None:
    client = visiting(application(Site(place.root, ORIGIN), by(lying.url, passwords=False)))
    assert 'name="password"' not in client.get("/sign-in").text
    answer = client.post("/sign-in", data={"person": "data-owner", "password": "x"})
    stays_out(client, answer, "nobody signs in with a password here")
    both = visiting(app).get("/sign-in?next=/data%3Fx%26y").text
    assert 'name="password"' in both and 'href="/sign-in/elsewhere?next=/data%3Fx%26y"' in both


SET = {"HALLMARK_OIDC_ISSUER": "https://login.example.com", "HALLMARK_OIDC_CLIENT_ID": CLIENT}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"HALLMARK_OIDC_ISSUER": "http://login.example.com"}, "http on loopback alone"),
        (
            {"HALLMARK_OIDC_ISSUER": "https://me@login.example.com"},
            "OIDC_ISSUER: expected a provider's address",
        ),
        ({"HALLMARK_OIDC_ISSUER": "http://127.0.0.1.evil.example"}, "http on loopback alone"),
        ({"HALLMARK_OIDC_ISSUER": ""}, "belong together; set HALLMARK_OIDC_ISSUER"),
        ({"HALLMARK_OIDC_CLIENT_SECRET_FILE": "/nowhere"}, "/nowhere cannot be read"),
        ({"HALLMARK_OIDC_CLIENT_SECRET_FILE": "/dev/null"}, "the secret in one line"),
        ({"HALLMARK_OIDC_CLIENT_SECRET_FILE": "/dev/zero"}, "the secret in one line"),
        ({"HALLMARK_CONSOLE_PASSWORDS": "no"}, "expected on or off, got 'no'"),
    ],
)
def test_half_a_setting_is_refused_in_words(changed: dict[str, str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        sign_in_methods(SET | changed)


def test_settings_of_the_environment(tmp_path: Path) -> None:
    assert sign_in_methods({}) == SignInMethods()
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    provider = sign_in_methods(SET | {"HALLMARK_OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret")}).provider
    assert provider and (provider.client_secret, provider.name) == (SECRET, "login.example.com")
