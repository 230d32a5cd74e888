"""An earlier release is champion again, ordered on its page by the key of a browser."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from infra.console.accounts import Accounts
from infra.console.database import open_database
from tasks.incidents import incidents
from tasks.registry.release import promotions
from tests.console.browsing import NEEDED, browser, lie, opened
from tests.console.conftest import PASSWORD, Console, serving
from tests.registry.conftest import (
    challenged_once,
    empty_registry,
    evaluated_once,
    founded_once,
    ready_once,
    released_once,
    succeeded,
    succeeded_once,
)
from tests.registry.house import NAME, House

pytestmark = NEEDED
__all__ = [
    "browser", "challenged_once", "empty_registry", "evaluated_once", "founded_once", "ready_once", "released_once",
    "succeeded", "succeeded_once",
]  # fmt: skip
OFFICER = "id: risk-officer, name: Risk officer, roles: [risk]"


@pytest.fixture
def console(succeeded: House) -> Iterator[Console]:
    """triage-2 is champion, triage-1 was before."""
    people = Accounts(open_database(succeeded.state))
    for person in ("engineer", "risk-officer"):
        people.set_password(person, PASSWORD)
    with serving(succeeded.root) as origin:
        yield Console(succeeded.root, origin)


def by_officer(browser: Any, console: Console, house: House) -> Any:
    """The page of triage-1, in the browser of the risk officer, whose key counts."""
    page = opened(browser, console, "risk-officer")
    page.goto(f"{console.origin}/key")
    page.click("#own-key .make")
    page.wait_for_selector("#own-key .enrol:not([hidden])")
    key = page.inner_text("#own-key .line").strip()
    house.adopt(lambda text: text.replace(OFFICER, f'{OFFICER}, keys: ["{key}"]'), "people.yaml")
    page.goto(f"{console.origin}/releases/triage-1")
    return page


def test_a_rollback_is_ordered_on_the_page_of_the_release(browser: Any, console: Console, succeeded: House) -> None:
    """By the role that decides at the release gate; a console that adds to what is signed gets no signature."""
    engineer = opened(browser, console, "engineer")
    engineer.goto(f"{console.origin}/releases/triage-1")
    assert not engineer.query_selector(".signed"), "whoever may not order it is not asked"
    page = by_officer(browser, console, succeeded)
    assert "triage-2 is champion now" in page.inner_text("main")
    page.fill(".signed [name=reason]", "wrong queue for refunds")
    lies = {"break_glass": True, "release": "triage-2", "joins": ["0" * 64], "follows": "0" * 64, "role": "owner"}
    for key, value in lies.items():
        page.route("**/draw", partial(lie, key, value))
        page.click("text=Sign the order")
        page.wait_for_selector("text=something else to sign than this page shows")
        page.unroute("**/draw")
        page.evaluate("document.querySelector('.told').textContent = ''")
    page.click("text=Sign the order")
    page.wait_for_selector("#recorded:has-text('triage-1 is champion again')")
    newest = promotions.read_promotions(succeeded.ledger, succeeded.governance, NAME).newest_statement
    assert newest and (newest.promotion.label, newest.promotion.action) == ("triage-1", "rollback")
    assert newest.promotion.requested_by == "risk-officer" and not page.faults
    assert not page.query_selector(".signed"), "it is champion"
    page.goto(f"{console.origin}/releases")
    assert page.locator(".reigns rect").evaluate_all("all => all.map(each => each.textContent)") == [
        "triage-1", "triage-2", "triage-1"
    ]  # fmt: skip
    page.click("summary:has-text('triage: triage-1 since')")
    assert "wrong queue for refunds" in page.inner_text("details")


def test_an_order_that_came_too_late_moves_nothing(browser: Any, console: Console, succeeded: House) -> None:
    """Two people at once: who signs on a page that shows another champion is told."""
    page = by_officer(browser, console, succeeded)
    page.fill(".signed [name=reason]", "wrong queue")
    asked = page.evaluate("JSON.parse(document.querySelector('.signed').dataset.asked).about.follows")
    page.route("**/draw", partial(lie, "follows", "0" * 64))
    page.evaluate(
        "other => { const form = document.querySelector('.signed'); const asked = JSON.parse(form.dataset.asked);"
        " asked.about.follows = other; form.dataset.asked = JSON.stringify(asked); }",
        "0" * 64,
    )
    page.click("text=Sign the order")
    page.wait_for_selector(".told.wrong")
    assert "has changed while it was being signed" in page.inner_text(".told")
    newest = promotions.read_promotions(succeeded.ledger, succeeded.governance, NAME).newest_statement
    assert newest and newest.sha256 == asked and not incidents.read_all(succeeded.ledger, succeeded.governance)
