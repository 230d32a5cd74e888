"""A passkey of a real browser decides where policy asks for a key in hardware. Its authenticator is Chromium's own."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.console import server
from tasks.core.errors import InputError
from tasks.gates import signed_decision
from tasks.ledger.ledger import open_ledger
from tasks.runs.run import installed_governance, open_run
from tasks.trust import passkey
from tests import whole_run
from tests.checkouts import Checkouts
from tests.console.browsing import NEEDED, asked_of, browser, opened, with_key
from tests.console.conftest import WAITING, Console, copy_of_lived_in
from tests.editing import edit
from tests.in_process import adopt
from tests.tiny_project import hallmark, hallmark_json

pytestmark = NEEDED
__all__ = ["browser"]
SECURITY_KEY = {
    "protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True,
    "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts, shared: Path) -> Iterator[Console]:
    """A console of this machine by its name, which passkeys need, as a command starts it."""
    project = copy_of_lived_in(checkouts, shared, tmp_path_factory.mktemp("passkey") / "project")
    with pytest.MonkeyPatch.context() as own:
        own.setenv("HALLMARK_CONSOLE_PORT", "0")
        own.setenv("HALLMARK_CONSOLE_ORIGIN", "http://localhost")
        started = hallmark_json(project, "console", "start")
    yield Console(project, started["url"])
    hallmark(project, "down")


def ask_for_hardware(project: Path) -> None:
    """At the data gate, once somebody can answer it."""
    asks = "decisions: [{role: data_owner, owners: true}]"
    edit(project / "infra" / "governance" / "policy.yaml", asks, f"{asks}\n        signature: hardware")
    adopt(project)


def with_authenticator(page: Any, **more: object) -> Any:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": SECURITY_KEY | more})
    return session


def test_a_passkey_signs_where_a_key_of_the_browser_does_not_count(browser: Any, named: Console) -> None:
    page = opened(browser, named, "data-owner")
    with_authenticator(page)
    with_key(page, named, "data-owner")
    with_key(page, named, "data-owner", "passkey")
    ask_for_hardware(named.root)
    whole_run.ask(open_run(named.root, WAITING), "data")
    page.goto(f"{named.origin}/gates/{WAITING}/data")
    (mark,) = asked_of(page)["keys"]
    page.check("[value=approve]")
    page.fill(".signed [name=reason]", "touched")
    page.click("text=Sign and record")
    page.wait_for_selector("text=Withdraw my decision")
    entry = open_ledger(named.root / ".hallmark").entries(signed_decision.ENTRY_KIND)[-1]
    governed = installed_governance(named.root, None)
    signed = signed_decision.read_decision(entry, governed)
    (line,) = (key.public_key for key in governed.people.get("data-owner").keys if key.fingerprint == signed.keyid)
    assert (signed.decision.verb, signed.decision.reason) == ("approve", "touched")
    assert signed.keyid == mark and passkey.is_passkey_line(line) and passkey.load_passkey(line).rp_id == "localhost"
    assert not page.faults


def test_a_passkey_that_can_be_copied_is_not_taken(browser: Any, named: Console) -> None:
    page = opened(browser, named, "data-owner")
    with_authenticator(page, defaultBackupEligibility=True)
    page.goto(f"{named.origin}/key")
    page.click("#own-passkey .make")
    page.wait_for_selector("text=can be copied to other devices")
    assert page.is_hidden("#own-passkey .enrol") and page.is_enabled("#own-passkey .make")


def test_an_authenticator_that_knows_nobody_is_told_in_words(browser: Any, named: Console) -> None:
    page = opened(browser, named, "data-owner")
    with_authenticator(page, hasUserVerification=False, isUserVerified=False)
    page.goto(f"{named.origin}/key")
    page.click("#own-passkey .make")
    page.wait_for_selector("text=it knows neither a PIN nor a finger of yours")
    assert page.is_enabled("#own-passkey .make")


def test_a_passkey_that_was_lost_is_made_anew(browser: Any, named: Console) -> None:
    page = opened(browser, named, "data-owner")
    with_authenticator(page)
    page.goto(f"{named.origin}/key")
    lines = set()
    for told in ("Make a passkey", "Make another"):
        page.click(f"#own-passkey .make:has-text('{told}')")
        page.wait_for_selector("#own-passkey .make:has-text('Make another')")
        page.wait_for_function(
            "known => !known.includes(document.querySelector('#own-passkey .line').innerText)", arg=list(lines)
        )
        lines.add(page.inner_text("#own-passkey .line"))
    assert len(lines) == 2 and not page.faults


@pytest.mark.attack(rights="visitor", stopped="at a name the console listens on each address that browsers take it for")
def test_it_answers_wherever_browsers_look_for_it(named: Console) -> None:
    port = int(named.origin.rsplit(":", 1)[1])
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with pytest.raises(OSError, match="in use"):
            socket.create_server((host, port), family=family)


def test_one_that_is_up_elsewhere_is_said(named: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server.start(named.root, print).origin == named.origin
    monkeypatch.setenv("HALLMARK_CONSOLE_ORIGIN", "http://localhost")
    assert server.start(named.root, print).origin == named.origin
    monkeypatch.setenv("HALLMARK_CONSOLE_ORIGIN", "https://hallmark.example.com")
    with pytest.raises(InputError, match=rf"is up at {named.origin}, not at https://hallmark\.example\.com; say"):
        server.start(named.root, print)
