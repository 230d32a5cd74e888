"""The page for a product owner and an auditor: one self-contained file, the same bytes for the same figures."""

from collections.abc import Sequence
from pathlib import Path

import jinja2

from tasks.evaluate.examples import Example
from tasks.evaluate.metrics import Metrics
from tasks.params import Params

TEMPLATES = Path(__file__).parent / "templates"


def render(params: Params, figures: Metrics, examples: Sequence[Example]) -> str:
    """The page as HTML. Everything is escaped but what templates mark as safe."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return pages.get_template("report.html").render(card=params.use_case, metrics=figures, examples=examples)
