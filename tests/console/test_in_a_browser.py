"""The console in a real browser: a data owner decides with a key of the browser, and every page can be used by all."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from infra.console.pages import PAGES
from infra.console.sessions import Sessions
from infra.console.store import open_store
from tasks.core.layout import Layout
from tasks.gates import signed_decision
from tasks.incidents import incidents
from tasks.ledger.ledger import open_ledger
from tasks.occasions import standing
from tasks.runs.run import installed_governance
from tests.console.browsing import NEEDED, asked_of, browser, lie, opened, with_key
from tests.console.conftest import PASSWORD, WAITING, Console, wait_at_data_gate, write_journal
from tests.console.test_access import GIVEN

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
    entry = ledger.entries(signed_decision.KIND)[-1]
    signed = signed_decision.read(entry, governed)
    assert (signed.decision.person, signed.decision.verb) == ("data-owner", "approve")
    assert signed.keyid in {key.fingerprint for key in governed.people.get("data-owner").keys}
    assert signed.evidence_sha256 == asked_of(page)["wish"]["evidence"]
    assert not list((console.root / ".hallmark" / "console").glob("*key*")) and not page.faults


@pytest.fixture(scope="module")
def open_gate(console: Console) -> str:
    """A run whose data gate nobody decides at first, with a check that fails."""
    wait_at_data_gate(console.root, "20260103-000000-cafe", **{"data.seed": "3", "data.train_rows": "5"})
    return "20260103-000000-cafe"


def test_evidence_that_changed_and_reasons_are_not_lost(browser: Any, console: Console, open_gate: str) -> None:
    """Somebody writes while the run asks anew: nothing is recorded, and what they wrote is there after a reload."""
    run = open_gate
    page = opened(browser, console, "data-owner")
    with_key(page, console, "data-owner")
    page.goto(f"{console.origin}/gates/{run}/data")
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
        signed_decision.claimed(each) for each in open_ledger(console.root / ".hallmark").entries("gate.decision")
    ]
    assert ("data-owner", "reject") not in decided


LIES: dict[str, Any] = {
    "verb": "reject", "role": "risk_officer", "person": "risk-officer", "run": "another", "gate": "release",
    "tier": "experiment", "use_case": "another", "policy_sha256": "0" * 64, "reason": "not looked at", "checks": ["x"],
    "expires": "2099-01-01T23:59:59Z", "withdraws": ["0" * 64], "demo": True,
    "purpose_sha256": "0" * 64, "more": 1, "time": "2001-01-01T00:00:00Z",
}  # fmt: skip


@pytest.mark.attack(rights="visitor", stopped="a browser signs only what its page shows")
def test_a_console_that_lies_about_what_is_signed_gets_no_signature(
    browser: Any, console: Console, open_gate: str
) -> None:
    page = opened(browser, console, "data-owner")
    with_key(page, console, "data-owner")
    page.goto(f"{console.origin}/gates/{open_gate}/data")

    choose(page, "approve")
    page.fill(".signed [name=reason]", "fine")
    for key, value in LIES.items():
        page.route("**/draw", partial(lie, key, value))
        page.click("text=Sign and record")
        page.wait_for_selector("text=something else to sign than this page shows")
        page.unroute("**/draw")
        page.evaluate("document.querySelector('.told').textContent = ''")


def test_a_failed_check_is_waived_with_its_last_day(browser: Any, console: Console, open_gate: str) -> None:
    """It stands first on the page; the page of waivers has it afterwards."""
    page = opened(browser, console, "risk-officer")
    with_key(page, console, "risk-officer")
    page.goto(f"{console.origin}/gates/{open_gate}/data")
    assert "enough rows" in page.inner_text("main table >> nth=0 >> tbody tr >> nth=0")
    last = f"{open_ledger(console.root / '.hallmark').now() + timedelta(days=30):%Y-%m-%d}"
    choose(page, "waive")
    page.check("[name=checks]")
    page.fill("[name=expires]", last)
    page.fill(".signed [name=reason]", "a small pilot")
    page.click("text=Sign and record")
    page.wait_for_selector("#recorded:has-text('waive')")
    ledger, governed = open_ledger(console.root / ".hallmark"), installed_governance(console.root, None)
    said = signed_decision.read(ledger.entries(signed_decision.KIND)[-1], governed).decision
    assert (said.verb, said.person, said.checks) == ("waive", "risk-officer", ["enough rows"])
    assert f"{said.expires:%Y-%m-%dT%H:%M:%S}" == f"{last}T23:59:59"
    page.goto(f"{console.origin}/waivers")
    assert "enough rows" in page.inner_text("main") and "a small pilot" in page.inner_text("main") and not page.faults


def test_a_session_that_ends_while_somebody_writes_loses_nothing(
    browser: Any, console: Console, open_gate: str
) -> None:
    page = opened(browser, console, "data-owner")
    with_key(page, console, "data-owner")
    page.goto(f"{console.origin}/gates/{open_gate}/data")
    choose(page, "reject")
    page.fill(".signed [name=reason]", "a long text")
    Sessions(open_store(console.root / ".hallmark")).end_all("data-owner")
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
    said = [signed_decision.claimed(each) for each in ledger.entries("gate.decision")]
    assert said.count(("data-owner", "reject")) == 1, "a double click is one decision"


def test_an_incident_is_closed_on_its_page_by_the_role_that_owns_it(browser: Any, console: Console) -> None:
    owner = opened(browser, console, "data-owner")
    owner.goto(f"{console.origin}/incidents")
    owner.click("main table a")
    assert "You cannot close it" in owner.inner_text("main") and not owner.query_selector(".signed")
    page = opened(browser, console, "risk-officer")
    with_key(page, console, "risk-officer")
    page.goto(owner.url)
    page.fill(".signed [name=reason]", "retraining is planned")
    page.click("text=Sign and record")
    page.wait_for_selector("text=risk-officer: retraining is planned")
    ledger, governed = open_ledger(console.root / ".hallmark"), installed_governance(console.root, None)
    (incident,) = incidents.read(ledger, governed)
    assert incident.closing and incident.closing.person == "risk-officer" and not page.faults


def test_a_schedule_rests_and_goes_on_by_its_page(browser: Any, console: Console) -> None:
    page = opened(browser, console, "ml-engineer")
    with_key(page, console, "ml-engineer")
    page.goto(f"{console.origin}/schedules")
    page.click("a:has-text('nightly')")
    for button, state in (("Sign and pause", "paused by ml-engineer: the store moves"), ("Sign and resume", "active")):
        page.fill(".signed [name=reason]", "the store moves")
        page.click(f"text={button}")
        page.wait_for_selector(f".badge:has-text('{state}')")
        assert "Recorded: nightly" in page.inner_text("#recorded")
    ledger, governed = open_ledger(console.root / ".hallmark"), installed_governance(console.root, None)
    assert not standing.read(ledger, governed).paused and not page.faults


def pages() -> list[str]:
    return [
        page.path.format(**GIVEN | {"run": WAITING})
        for page in PAGES
        if "{incident}" not in page.path and "{name}" not in page.path
    ] + [
        "/runs/20260101-000000-abcd",
        "/gates/20260101-000000-abcd/evaluation",
    ]


@pytest.mark.parametrize(("theme", "size"), [("light", "phone"), ("dark", "desk")])
def test_every_page_works_for_all(browser: Any, console: Console, theme: str, size: str) -> None:
    """axe finds nothing, no page is wider than a phone, and none logs an error."""
    from axe_playwright_python.sync_playwright import Axe

    width, height = SIZES[size]
    shown = {"width": width, "height": height}
    page = opened(browser, console, "data-owner", color_scheme=theme, viewport=shown, bypass_csp=True)
    for path in pages():
        page.goto(f"{console.origin}{path}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        found = Axe().run(page).response["violations"]
        assert not found, (path, [(each["id"], each["nodes"][0]["html"]) for each in found])
    assert not page.faults


def test_a_first_view_is_light(browser: Any, console: Console) -> None:
    page = opened(browser, console, "data-owner")
    weights: dict[str, int] = {}
    page.on("response", lambda answer: weights.__setitem__(answer.url, len(answer.body())))
    page.goto(f"{console.origin}/gates/{WAITING}/data")
    page.wait_for_load_state("networkidle")
    assert 0 < sum(weights.values()) <= WEIGHT, weights


def test_a_run_in_progress_shows_how_far_it_is_without_a_reload(browser: Any, console: Console) -> None:
    page = opened(browser, console, "ml-engineer")
    page.goto(f"{console.origin}/runs/{WAITING}")
    page.evaluate("window.same = true")
    write_journal(console.root, WAITING, "failed", error="no space left <script>alert(1)</script>")
    page.wait_for_selector("text=no space left <script>alert(1)</script>", timeout=60_000)
    assert page.evaluate("window.same") and not page.faults


def test_the_page_of_a_run_is_reached_by_keyboard(browser: Any, console: Console) -> None:
    page = opened(browser, console, "ml-engineer")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.attack(rights="visitor", stopped="a page that a run made runs nothing, and no other file is given out")
def test_data_docs_and_report_run_nothing(browser: Any, console: Console) -> None:
    run = "20260101-000000-abcd"
    page = opened(browser, console, "data-owner")
    docs = next((Layout(console.root / ".hallmark" / "runs" / run).stage("validate") / "docs").rglob("index.html"))
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
