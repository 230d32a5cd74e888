"""Markdown helpers for the generated pages."""

import re
from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(table_cell, line))} |" for line in lines) + "\n"


def table_cell(text: str) -> str:
    """Return text for a table cell: on one line, with each `|` escaped."""
    return " ".join(text.replace("\\|", "|").split()).replace("|", "\\|")


def heading_anchor(heading: str) -> str:
    """Return the anchor that Python-Markdown generates for a heading (markdown.extensions.toc.slugify)."""
    slug = re.sub(r"[^\w\s-]", "", heading).strip().lower()
    return re.sub(r"[-\s]+", "-", slug)


def unwrap_paragraphs(docstring: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in docstring.strip().split("\n\n"))
