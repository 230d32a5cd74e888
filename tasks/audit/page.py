"""The dossier as one HTML page: it loads nothing, runs no script, and says so to the browser."""

from pathlib import Path

from tasks.audit.dossier import Dossier
from tasks.core.pages import templates

TEMPLATES = Path(__file__).parent / "templates"


def render(dossier: Dossier, files: dict[str, str]) -> str:
    """`files` are the archive's, with their digests."""
    chapter_of = {claim.number: chapter.title for chapter in dossier.chapters for claim in chapter.claims}
    return templates(TEMPLATES).get_template("dossier.html").render(it=dossier, files=files, chapter_of=chapter_of)
