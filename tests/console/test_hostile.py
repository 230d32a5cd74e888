"""Markup, formulas and characters that do not show, wherever a stranger's text reaches a page, JSON or a CSV."""

import csv
import io
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from infra.console.accounts import Accounts
from infra.console.database import open_database
from infra.console.rendering import FORMULA_PREFIXES
from tasks.runs import journal
from tasks.runs.journal import Journal, StageState
from tests.checkouts import Checkouts
from tests.console.browsing import NEEDED, browser
from tests.console.conftest import PASSWORD, serving
from tests.console.visits import console_of, reader_of
from tests.core.test_shown import RAW
from tests.in_process import hallmark
from tests.soaking import soak

__all__ = ["browser"]
CUT = "20260105-000000-feed"
TAGS = (
    "<script>hit()</script>", "<img src=x onerror=hit()>", "<svg onload=hit()>", "<svg><script>hit()</script></svg>",
    "<iframe srcdoc='<script>parent.hit()</script>'>", "<body onload=hit()>", "<input autofocus onfocus=hit()>",
    "<details open ontoggle=hit()>", "<video><source onerror=hit()>", "<math><mi xlink:href=javascript:hit()>",
    "<a href=javascript:hit()>x</a>", "<form action=javascript:hit()><button>", "<style>@import '//evil'</style>",
    "<link rel=stylesheet href=//evil>", "<meta http-equiv=refresh content='0;url=//evil'>", "<base href=//evil/>",
    "<template><script>hit()</script></template>", "<object data=javascript:hit()>", "<embed src=javascript:hit()>",
    "<marquee onstart=hit()>", "<div hx-get=//evil hx-trigger=load>", "<div hx-on:load=hit()>", "<!--", "<![CDATA[",
)  # fmt: skip
OURS = {"a", "body", "div", "form", "input", "link", "meta", "script"}
"""Tags that a page of the console has itself."""
PICTURE = '<svg class="bars"'
"""And this one, of the runs of a use case."""
BREAKS = ("", '">', "'>", "</td>", "</textarea>", "</title>", "</script>", "\u2028", "{{7*7}}", "${7*7}")
FORMULAS = (
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "=cmd|' /C calc'!A0",
    "\t=1",
    "\r=1",
    " =1",
    '=HYPERLINK("//evil")',
    "'=1",
)
HIDDEN = ("\x1b[2J", "\u202e", "\u200b", "\x07", "\x9b", "\u2066", "\ufeff", "\x00", "\x7f", "\u2069")
ALL = [f"{broken}{tag}" for broken, tag in product(BREAKS, TAGS)] + [*FORMULAS, *HIDDEN]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """Each text is the error, the use case and the progress of a run of its own."""
    folder = checkouts.ready(tmp_path_factory.mktemp("hostile-console") / "project")
    for number, text in enumerate(ALL):
        stages = {"ingest": StageState(state="running", progress=text)}
        error = text if number % 2 else None
        known = Journal(run=f"2026-{number:04}", requested_by=text, use_case=text, status="failed", error=error,
                        stages=stages, release=text)  # fmt: skip
        journal.write_journal(folder / ".hallmark", known)
    Accounts(open_database(folder / ".hallmark")).set_password("data-owner", PASSWORD)
    return folder


@pytest.fixture(scope="module")
def reader(project: Path) -> TestClient:
    return reader_of(console_of(project), "data-owner")


def test_there_are_enough() -> None:
    assert len(set(ALL)) > 100


@pytest.mark.attack(rights="visitor", stopped="a page escapes every text, and spells out what does not show")
@pytest.mark.parametrize("page", ["list", "run", *soak(["every run"])])
def test_no_text_becomes_a_part_of_a_page(reader: TestClient, page: str) -> None:
    """The list has all texts; pages of runs, which have one each, are looked at by turns."""
    numbers = range(len(ALL)) if page == "every run" else range(0, len(ALL), 7)
    paths = ["/runs?most=1000"] if page == "list" else [f"/runs/2026-{number:04}" for number in numbers]
    plain = {tag.split()[0].strip("<>").split(">")[0] for tag in TAGS} - OURS
    for path in paths:
        answer = reader.get(path)
        assert answer.status_code == 200 and not RAW.search(answer.text), path
        body = answer.text.split("<main", 1)[1].replace(PICTURE, "")
        assert "<script" not in body and "hit()>" not in body and "javascript:hit()>" not in body
        assert not [name for name in plain if f"<{name}" in body], path


@pytest.mark.attack(rights="worker", stopped="a file that is no run's is passed over, a broken journal told")
def test_an_odd_file_among_the_runs_takes_no_page_away(reader: TestClient, project: Path) -> None:
    odd = {"2026-0000 (copy).json": "{}", "UPPER.json": "{}", "x\u202ey.json": "{}", f"{CUT}.json": "{"}
    paths = [project / ".hallmark" / "runs" / name for name in odd]
    try:
        for path, content in zip(paths, odd.values(), strict=True):
            path.write_text(content)
        for page in ("/", "/runs", "/api/runs", "/runs/2026-0000", "/data", f"/runs/{CUT}", f"/api/runs/{CUT}"):
            assert reader.get(page).status_code == 200, page
        assert {row["run"]: row["status"] for row in reader.get("/api/runs").json()["rows"]}[CUT] == "unreadable"
        assert "unreadable" in hallmark(project, "status") and "UPPER" not in hallmark(project, "status")
        assert f"run {CUT}: unreadable" in hallmark(project, "runs", "show", "20260105")
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


@pytest.mark.attack(rights="visitor", stopped="no cell of a CSV is a formula to a spreadsheet")
def test_no_cell_is_a_formula(reader: TestClient) -> None:
    lines = list(csv.reader(io.StringIO(reader.get("/runs.csv?most=10000").text)))
    assert len(lines) == len(ALL) + 1
    for cell in (cell for line in lines[1:] for cell in line):
        assert not cell.lstrip().startswith(FORMULA_PREFIXES) and not RAW.search(cell), cell


@pytest.mark.attack(rights="visitor", stopped="a browser runs nothing of what a page shows")
@NEEDED
def test_a_browser_runs_none_of_it(browser: Any, project: Path) -> None:
    """All on one page, which lists every run."""
    with serving(project) as origin:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.add_init_script("window.hits = 0; window.hit = () => { window.hits += 1 }")
        page.goto(f"{origin}/runs?most=1000")
        page.fill("[name=person]", "data-owner")
        page.fill("[name=password]", PASSWORD)
        page.click("button")
        page.wait_for_selector("table")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.hits") == 0
        assert (
            page.evaluate("document.querySelectorAll('main script, main img, main svg:not(.bars), main iframe').length")
            == 0
        )
        assert not [url for url in asked if not url.startswith(origin)]
