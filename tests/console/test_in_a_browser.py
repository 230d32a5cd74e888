"""The console in a real browser: a data owner decides with a key of the browser, and every page can be used by all."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from infra.console.context import session_cookie_name
from infra.console.database import open_database
from infra.console.pages import PAGES
from infra.console.sessions import Sessions
from tasks.core.layout import Layout
from tasks.gates import signed_decision
from tasks.incidents import incidents
from tasks.ledger.ledger import open_ledger
from tasks.runs.run import installed_governance
from tasks.scheduling import deployments_in_force
from tests.console.browsing import NEEDED, asked_of, browser, lie, opened, with_key
from tests.console.conftest import FAILING, PASSWORD, WAITING, Console, write_journal
from tests.console.test_access import GIVEN
from tests.patience import patience
from tests.soaking import soak
from tests.whole_run import RUN

pytestmark = NEEDED
__all__ = ["browser"]
SIZES = {"phone": (360, 740), "desk": (1440, 900)}
WEIGHT = 150_000
"""Bytes of a first view."""


def choose(page: Any, verb: str) -> None:
    """Once all is there: the rows come after the page, and move what stands below them."""
    page.wait_for_load_state("networkidle")
    page.check(f"[value={verb}]")


def test_a_data_owner_decides_with_the_key_of_their_browser(browser: Any, console: Console) -> None:
    """Three clicks on two pages from the inbox; the server never has the key, and what is shown is what is signed."""
    page = opened(browser, console, "data-owner")
    page.click(f"a[href='/gates/{WAITING}/data']")
    page.wait_for_selector(".no-key:not([hidden])")
    assert page.is_disabled(".signed button")
    with_key(page, console, "data-owner")
    page.goto(f"{console.origin}/key")
    page.wait_for_selector("text=of yours here that counts")

    page.goto(f"{console.origin}/")
    page.click(f"a[href='/gates/{WAITING}/data']")
    choose(page, "approve")
    page.fill(".signed [name=reason]", "counts as agreed <b>&</b>")
    page.click("text=Sign and record")
    page.wait_for_selector("text=Withdraw my decision")
    said = page.inner_text("main")
    assert "passed: all 4 checks hold" in said.lower() and "counts as agreed <b>&</b>" in said

    ledger = open_ledger(console.root / ".hallmark")
    governed = installed_governance(console.root, None)
    entry = ledger.entries(signed_decision.ENTRY_KIND)[-1]
    signed = signed_decision.read_decision(entry, governed)
    assert (signed.decision.person, signed.decision.verb) == ("data-owner", "approve")
    assert signed.keyid in {key.fingerprint for key in governed.people.get("data-owner").keys}
    assert signed.evidence_sha256 == asked_of(page)["wish"]["evidence"]
    assert not list((console.root / ".hallmark" / "console").glob("*key*")) and not page.faults


@pytest.fixture(scope="module")
def owner(browser: Any, console: Console) -> Any:
    """The page of a data owner whose key counts, for several tests that each go where they want."""
    return with_key(opened(browser, console, "data-owner"), console, "data-owner")


@pytest.fixture(scope="module")
def officer(browser: Any, console: Console) -> Any:
    return with_key(opened(browser, console, "risk-officer"), console, "risk-officer")


@pytest.fixture(scope="module")
def engineer(browser: Any, console: Console) -> Any:
    return with_key(opened(browser, console, "ml-engineer"), console, "ml-engineer")


def test_evidence_that_changed_and_reasons_are_not_lost(owner: Any, console: Console) -> None:
    """Somebody writes while the run asks anew: nothing is recorded, and what they wrote is there after a reload."""
    page = owner
    page.goto(f"{console.origin}/gates/{FAILING}/data")
    choose(page, "reject")
    page.fill(".signed [name=reason]", "half a sentence")
    asked = asked_of(page)
    asked["wish"]["evidence"] = "f" * 64
    page.evaluate("asked => { document.querySelector('.signed').dataset.asked = asked; }", json.dumps(asked))
    page.click("text=Sign and record")
    page.wait_for_selector("text=other evidence by now")
    page.goto(f"{console.origin}/runs")
    page.go_back()
    assert page.input_value(".signed [name=reason]") == "half a sentence"
    decided = [
        signed_decision.unverified_person_and_verb(each)
        for each in open_ledger(console.root / ".hallmark").entries("gate.decision")
    ]
    assert ("data-owner", "reject") not in decided


LIES: dict[str, Any] = {
    "verb": "reject", "role": "risk_officer", "person": "risk-officer", "run": "another", "gate": "release",
    "tier": "experiment", "use_case": "another", "policy_sha256": "0" * 64, "reason": "not looked at", "checks": ["x"],
    "expires": "2099-01-01T23:59:59Z", "withdraws": ["0" * 64], "demo": True,
    "purpose_sha256": "0" * 64, "more": 1, "time": "2001-01-01T00:00:00Z",
}  # fmt: skip


@pytest.mark.attack(rights="visitor", stopped="a browser signs only what its page shows")
def test_a_console_that_lies_about_what_is_signed_gets_no_signature(owner: Any, console: Console) -> None:
    page = owner
    page.goto(f"{console.origin}/gates/{FAILING}/data")
    choose(page, "approve")
    page.fill(".signed [name=reason]", "fine")
    for key, value in LIES.items():
        page.route("**/draw", partial(lie, key, value))
        page.click("text=Sign and record")
        page.wait_for_selector("text=something else to sign than this page shows")
        page.unroute("**/draw")
        page.evaluate("document.querySelector('.told').textContent = ''")


def test_a_failed_check_is_waived_with_its_last_day(officer: Any, console: Console) -> None:
    """It stands first on the page; the page of waivers has it afterwards."""
    page = officer
    page.goto(f"{console.origin}/gates/{FAILING}/data")
    assert "enough rows" in page.inner_text("main table >> nth=0 >> tbody tr >> nth=0")
    last = f"{open_ledger(console.root / '.hallmark').now() + timedelta(days=30):%Y-%m-%d}"
    choose(page, "waive")
    page.check("[name=checks]")
    page.fill("[name=expires]", last)
    page.fill(".signed [name=reason]", "a small pilot")
    page.click("text=Sign and record")
    page.wait_for_selector("#recorded:has-text('waive')")
    ledger, governed = open_ledger(console.root / ".hallmark"), installed_governance(console.root, None)
    said = signed_decision.read_decision(ledger.entries(signed_decision.ENTRY_KIND)[-1], governed).decision
    assert (said.verb, said.person, said.checks) == ("waive", "risk-officer", ["enough rows"])
    assert f"{said.expires:%Y-%m-%dT%H:%M:%S}" == f"{last}T23:59:59"
    page.goto(f"{console.origin}/waivers")
    assert "enough rows" in page.inner_text("main") and "a small pilot" in page.inner_text("main") and not page.faults


def test_a_session_that_ends_while_somebody_writes_loses_nothing(owner: Any, console: Console) -> None:
    page = owner
    page.goto(f"{console.origin}/gates/{FAILING}/data")
    choose(page, "reject")
    page.fill(".signed [name=reason]", "a long text")
    Sessions(open_database(console.root / ".hallmark")).end_sessions_of("data-owner")
    page.click("text=Sign and record")
    page.wait_for_selector(".told:has-text('your session is over')")
    other = page.context.new_page()
    other.goto(f"{console.origin}/")
    other.fill("[name=person]", "data-owner")
    other.fill("[name=password]", PASSWORD)
    other.click("button:has-text('Sign in')")
    other.wait_for_url(f"{console.origin}/")
    page.reload()
    assert page.input_value(".signed [name=reason]") == "a long text"
    choose(page, "reject")
    page.dblclick("text=Sign and record")
    page.wait_for_selector("#recorded:has-text('reject')")
    ledger = open_ledger(console.root / ".hallmark")
    said = [signed_decision.unverified_person_and_verb(each) for each in ledger.entries("gate.decision")]
    assert said.count(("data-owner", "reject")) == 1, "a double click is one decision"


def test_an_incident_is_closed_on_its_page_by_the_role_that_owns_it(owner: Any, officer: Any, console: Console) -> None:
    owner.goto(f"{console.origin}/incidents")
    owner.click("main table a")
    assert "You cannot close it" in owner.inner_text("main") and not owner.query_selector(".signed")
    page = officer
    page.goto(owner.url)
    page.fill(".signed [name=reason]", "retraining is planned")
    page.click("text=Sign and record")
    page.wait_for_selector("text=risk-officer: retraining is planned")
    ledger, governed = open_ledger(console.root / ".hallmark"), installed_governance(console.root, None)
    (incident,) = incidents.read_all(ledger, governed)
    assert incident.closing and incident.closing.person == "risk-officer" and not page.faults


def test_a_schedule_rests_and_goes_on_by_its_page(engineer: Any, console: Console) -> None:
    page = engineer
    page.goto(f"{console.origin}/schedules")
    page.click("a:has-text('nightly')")
    for button, state in (("Sign and pause", "paused by ml-engineer: the store moves"), ("Sign and resume", "active")):
        page.fill(".signed [name=reason]", "the store moves")
        page.click(f"text={button}")
        page.wait_for_selector(f".badge:has-text('{state}')")
        assert "Recorded: nightly" in page.inner_text("#recorded")
    ledger, governed = open_ledger(console.root / ".hallmark"), installed_governance(console.root, None)
    assert not deployments_in_force.read_deployments(ledger, governed).pauses and not page.faults


def pages() -> list[str]:
    """Those of a run that waits, and those of one that has been evaluated."""
    return [
        page.path.format(**GIVEN | {"run": WAITING})
        for page in PAGES
        if not any(part in page.path for part in ("{incident}", "{name}", "/errors"))
    ] + [f"/runs/{RUN}", f"/runs/{RUN}/errors?model=base", f"/gates/{RUN}/evaluation"]


@pytest.mark.parametrize(("theme", "size"), [("light", "phone"), *soak([("dark", "desk")])])
def test_every_page_works_for_all(viewer: Any, console: Console, theme: str, size: str) -> None:
    """axe finds nothing, no page is wider than a phone, and none logs an error."""
    look_at(viewer, console, pages(), theme, size)


@pytest.fixture(scope="module")
def viewer(browser: Any, console: Console) -> Any:
    """A page that axe may run in."""
    return opened(browser, console, "data-owner", bypass_csp=True)


def look_at(page: Any, console: Console, paths: list[str], theme: str, size: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    width, height = SIZES[size]
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    for path in paths:
        page.goto(f"{console.origin}{path}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        found = Axe().run(page).response["violations"]
        assert not found, (path, [(each["id"], each["nodes"][0]["html"]) for each in found])
    assert not page.faults


def test_colours_are_told_apart_in_the_dark_as_well(viewer: Any, console: Console) -> None:
    """On a page of each kind: colours are variables of a theme, which all pages share; `make soak` looks at all."""
    paths = ["/", "/runs", f"/runs/{WAITING}", f"/gates/{WAITING}/data", "/releases/tiny-1"]
    look_at(viewer, console, paths, "dark", "desk")


def test_a_first_view_is_light(browser: Any, console: Console) -> None:
    page = opened(browser, console, "data-owner")
    weights: dict[str, int] = {}
    page.on("response", lambda answer: weights.__setitem__(answer.url, len(answer.body())))
    page.goto(f"{console.origin}/gates/{WAITING}/data")
    page.wait_for_load_state("networkidle")
    assert 0 < sum(weights.values()) <= WEIGHT, weights


def test_a_run_in_progress_shows_how_far_it_is_without_a_reload(engineer: Any, console: Console) -> None:
    page = engineer
    page.goto(f"{console.origin}/runs/{WAITING}")
    page.evaluate("window.same = true")
    write_journal(console.root, WAITING, "failed", error="no space left <script>alert(1)</script>")
    page.wait_for_selector("text=no space left <script>alert(1)</script>", timeout=patience(60) * 1000)
    assert page.evaluate("window.same") and not page.faults


def test_the_page_of_a_run_is_reached_by_keyboard(engineer: Any, console: Console) -> None:
    page = engineer
    page.goto(f"{console.origin}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.attack(rights="visitor", stopped="a page that a run made runs nothing, and no other file is given out")
def test_data_docs_and_report_run_nothing(owner: Any, console: Console) -> None:
    run, page = "20260101-000000-abcd", owner
    docs = next((Layout(console.root / ".hallmark" / "runs" / run).artefacts("validate") / "docs").rglob("index.html"))
    page.goto(f"{console.origin}/runs/{run}/docs/")
    page.click("a >> nth=0")
    page.wait_for_load_state()
    assert "/docs/" in page.url and "Sign in" not in page.title(), "its own links need no other password"
    docs_text = docs.read_text()
    docs.chmod(0o644)
    docs.write_text(docs_text.replace("</body>", "<script>document.title = 'ran'</script></body>"))
    page.goto(f"{console.origin}/runs/{run}/docs/")
    assert page.title() != "ran"
    docs.write_text(docs_text)
    for path in ("../../../../keys/gate", "..%2f..%2f..%2f..%2fkeys%2fgate", "/etc/passwd"):
        assert page.request.get(f"{console.origin}/runs/{run}/docs/{path}").status in (400, 404)


@pytest.mark.attack(rights="visitor", stopped="a page knows whether its browser began the session")
def test_a_session_that_another_port_planted_does_nothing(browser: Any, console: Console) -> None:
    """In the name of somebody else, who began it in a browser of their own. What was begun here goes on after it."""
    page = opened(browser, console, "data-owner")
    assert page.locator("main h1").count() == 1
    own = page.context.cookies()
    (theirs,) = [
        cookie
        for cookie in opened(browser, console, "colleague").context.cookies()
        if cookie["name"] == session_cookie_name(console.origin)
    ]
    page.context.add_cookies([theirs])
    page.goto(f"{console.origin}/gates/{WAITING}/data")
    page.wait_for_selector("text=This browser did not begin this session here")
    assert page.locator(".signed, main h1").count() == 0 and page.locator("button:has-text('Sign out')").count() == 1
    page.context.add_cookies(own)
    page.goto(f"{console.origin}/gates/{WAITING}/data")
    assert page.locator("main h1").count() == 1


def test_without_scripts_a_form_says_so_and_puts_nothing_into_an_address(browser: Any, console: Console) -> None:
    page = opened(browser, console, "data-owner", java_script_enabled=False)
    page.goto(f"{console.origin}/gates/{FAILING}/data")
    assert "needs JavaScript" in page.inner_text("form.signed") and "You sign as" in page.inner_text("form.signed")
    page.locator(".signed [name=verb]").first.check()
    page.fill(".signed [name=reason]", "a secret reason")
    page.click("text=Sign and record")
    page.wait_for_load_state()
    assert "reason" not in page.url
