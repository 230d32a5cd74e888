"""The pairs as a page: one self-contained file without script, which loads nothing and says so to the browser.

What customers wrote is escaped, and would do nothing if it were not.
"""

from pathlib import Path

from tasks.core.pages import templates
from tasks.inquiry.conflicts.pairs import Conflicts
from tasks.inquiry.conflicts.words import compare

FOLDER = Path(__file__).parent
ADVICE = (
    "Two sources: give the one that is right the higher `authority` in sources.yaml.",
    "Two rows: give the one that is right the newer `effective_from` in its source.",
    "One row is wrong: correct it in its source, or retire it by a date in `retired_at`.",
    "Neither is wrong, or nobody can tell: `contradictions` of a source in sources.yaml says whether both stay or go.",
)
"""What an owner can do about a pair; the next run takes it up."""


def render(conflicts: Conflicts) -> str:
    """The page as HTML."""
    return templates(FOLDER).get_template("page.html").render(conflicts=conflicts, advice=ADVICE, compare=compare)
