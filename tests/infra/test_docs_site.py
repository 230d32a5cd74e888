"""`make docs`: the site builds without a warning, has every page, and loads nothing from a network."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from infra.docs.pages import PAGES

ROOT = Path(__file__).parents[2]
LOADING = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "srcset")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")
    return folder


def test_every_page_is_there(site: Path) -> None:
    written = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    for page in [*written, *PAGES]:
        assert (site / page.replace("README.md", "index.md")).with_suffix(".html").is_file(), page


class Loaded(HTMLParser):
    """Addresses that a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("rel") not in ("canonical", "next", "prev"):
            self.found += [value for key, value in given.items() if (tag, key) in LOADING and value]


def loaded(site: Path) -> Iterator[tuple[Path, str]]:
    for page in site.rglob("*.html"):
        reader = Loaded()
        reader.feed(page.read_text())
        yield from ((page, address) for address in reader.found)
    for sheet in site.rglob("*.css"):
        yield from ((sheet, address) for address in re.findall(r"url\(['\"]?([^)'\"]+)", sheet.read_text()))


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    every = [*loaded(site)]
    assert len(every) > 100
    outside = [(page.name, a) for page, a in every if re.match(r"(https?:)?//", a)]
    missing = [
        (page.name, a)
        for page, a in every
        if not re.match(r"(https?:)?//|data:", a) and not (page.parent / a.split("#")[0].split("?")[0]).exists()
    ]
    assert outside == [] and [m for m in missing if m[0] != "404.html"] == []


def test_search_works_on_a_page_that_was_opened_as_a_file(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text()
    assert index.startswith("var __index = ") and "Emergency rollback" in index
    assert 'src="assets/iframe-worker.js"' in (site / "index.html").read_text()
