"""Data Docs: pages with Great Expectations' rendering of its results.

The pages need no network and depend only on the results. In contrast, the site that Great Expectations builds links
eighteen files on four other hosts, and contains the time and random ids.
"""

from pathlib import Path
from typing import Any

from tasks.core.files import write_bytes
from tasks.core.pages import escape_value
from tasks.stages.data.validate.docs.overview import Overview
from tasks.stages.data.validate.suite_results import SuiteResult

TEMPLATES = Path(__file__).parent


def write_pages(folder: Path, checked: list[tuple[SuiteResult, Any]], overview: Overview) -> None:
    """Write index.html and a page for each suite, from its result and the scrubbed result of Great Expectations."""
    view = _page_view()
    for suite, result in checked:
        write_bytes(
            folder / suite.page, view.render(_render_document(result), template="suite.j2", suite=suite).encode()
        )
    index = view.env.get_template("index.j2").render(suites=[suite for suite, _ in checked], overview=overview)
    write_bytes(folder / "index.html", index.encode())


def _render_document(result: Any) -> Any:
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    document = ValidationResultsPageRenderer(run_info_at_end=True).render(result)
    document.sections = document.sections[1:-1]
    return document


def _page_view() -> Any:
    from great_expectations.render.view.view import DefaultJinjaPageView

    view = DefaultJinjaPageView(custom_views_directory=str(TEMPLATES))
    view.env.finalize = escape_value
    return view
