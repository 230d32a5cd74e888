"""HTML page of contradictory records: one self-contained file without scripts.

The Content-Security-Policy of the page forbids scripts, and the texts of customers are escaped.
"""

from pathlib import Path

from tasks.core.pages import template_environment
from tasks.inquiry.conflicts.pairs import Conflicts
from tasks.inquiry.conflicts.text_diff import diff_texts

FOLDER = Path(__file__).parent
REMEDIES = (
    "Two sources: give the one that is right the higher `authority` in sources.yaml.",
    "Two rows: give the one that is right the newer `effective_from` in its source.",
    "One row is wrong: correct it in its source, or retire it by a date in `retired_at`.",
    "Both are right, since the prompts ask different things: nothing is to do. Likeness in meaning is no proof.",
    "Neither is wrong, or nobody can tell: `contradictions` of a source in sources.yaml says whether both stay or go.",
)
"""Advice to owners on resolving contradictions. What they change takes effect in the next run."""


def render_conflicts_page(conflicts: Conflicts) -> str:
    return (
        template_environment(FOLDER)
        .get_template("page.html")
        .render(conflicts=conflicts, advice=REMEDIES, compare=diff_texts)
    )
