"""Markdown helpers of the generated pages."""

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines) + "\n"


def cell(text: str) -> str:
    """Return text for a table cell, on one line and with each `|` escaped."""
    return " ".join(text.replace("\\|", "|").split()).replace("|", "\\|")


def anchor(heading: str) -> str:
    """Return the id that Python-Markdown gives a heading (markdown.extensions.toc.slugify)."""
    slug = re.sub(r"[^\w\s-]", "", heading).strip().lower()
    return re.sub(r"[-\s]+", "-", slug)


def prose(docstring: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in docstring.strip().split("\n\n"))
