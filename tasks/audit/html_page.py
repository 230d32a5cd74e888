"""Dossier as a single HTML page. Its content security policy forbids it to load resources and run scripts."""

from pathlib import Path

from tasks.audit.dossier import Dossier
from tasks.core.pages import template_environment

TEMPLATES_FOLDER = Path(__file__).parent / "templates"


def render_page(dossier: Dossier, digests: dict[str, str]) -> str:
    """Return the HTML page. `digests` maps the path of each file in the archive to its SHA-256."""
    chapter_of = {claim.number: chapter.title for chapter in dossier.chapters for claim in chapter.claims}
    return (
        template_environment(TEMPLATES_FOLDER)
        .get_template("dossier.html")
        .render(it=dossier, files=digests, chapter_of=chapter_of)
    )
