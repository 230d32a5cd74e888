"""A real browser, and what a person does in it."""

import base64
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.core.json_text import canonical_json
from tests.console.conftest import PASSWORD, Console
from tests.in_process import adopt, hallmark

CHROMIUM = shutil.which("chromium")
NEEDED = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Tests run as root in CI, where Chromium has no sandbox of its own.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def opened(browser: Any, console: Console, person: str, **how: Any) -> Any:
    """A page of a person who has signed in. Whatever it logs as an error fails the test that looks at `faults`."""
    page = browser.new_context(**how).new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
    page.goto(f"{console.origin}/")
    page.fill("[name=person]", person)
    page.fill("[name=password]", PASSWORD)
    page.click("button:has-text('Sign in')")
    page.wait_for_url(f"{console.origin}/")
    return page


def asked_of(page: Any) -> dict[str, Any]:
    """What the page gave the browser to compare with what it signs."""
    return dict(json.loads(page.get_attribute(".signed", "data-asked")))


def with_key(page: Any, console: Console, person: str, kind: str = "key") -> Any:
    """Make a key or a passkey in the browser and have it adopted as the page says. Returns the page."""
    page.goto(f"{console.origin}/key")
    page.click(f"#own-{kind} .make")
    page.wait_for_selector(f"#own-{kind} .enrol:not([hidden])")
    public = console.root.with_name(f"{person}.pub")
    public.write_text(page.inner_text(f"#own-{kind} .line") + "\n")
    hallmark(console.root, "identity", "import", person, str(public))
    adopt(console.root)
    return page


def lie(key: str, value: Any, route: Any) -> None:
    """What the console gives out to sign, with one thing in it another."""
    answer = route.fetch()
    drawn = answer.json()
    statement = json.loads(base64.b64decode(drawn["payload"]))
    statement["predicate"][key] = value
    drawn["payload"] = base64.b64encode(canonical_json(statement)).decode()
    route.fulfill(response=answer, json=drawn)
