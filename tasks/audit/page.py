"""The dossier as one HTML page: it loads nothing, runs no script, and says so to the browser."""

from pathlib import Path

import jinja2

from tasks.audit.dossier import Dossier

TEMPLATES = Path(__file__).parent / "templates"


def render(dossier: Dossier, files: dict[str, str]) -> str:
    """`files` are the archive's, with their digests."""
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    chapter_of = {claim.number: chapter.title for chapter in dossier.chapters for claim in chapter.claims}
    return pages.get_template("dossier.html").render(it=dossier, files=files, chapter_of=chapter_of)
