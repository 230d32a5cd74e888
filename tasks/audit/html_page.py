"""Dossier as one HTML page, which loads no resource and runs no script; its content security policy forbids both."""

from pathlib import Path

from tasks.audit.dossier import Dossier
from tasks.core.pages import template_environment

TEMPLATES = Path(__file__).parent / "templates"


def render(dossier: Dossier, files: dict[str, str]) -> str:
    """Return the HTML page. `files` has the SHA-256 of the archive's files by path."""
    chapter_of = {claim.number: chapter.title for chapter in dossier.chapters for claim in chapter.claims}
    return (
        template_environment(TEMPLATES)
        .get_template("dossier.html")
        .render(it=dossier, files=files, chapter_of=chapter_of)
    )
