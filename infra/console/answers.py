"""A view as HTML, JSON or CSV."""

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import jinja2
from pydantic import BaseModel

from infra.console.pages import PAGES
from tasks.core.pages import shown, templates
from tasks.core.shown import visible
from tasks.gates.words import span

FOLDER = Path(__file__).parent
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def environment() -> jinja2.Environment:
    """The templates, which escape everything that they are given."""
    made = templates(FOLDER / "templates")
    made.globals |= {"menu": [page for page in PAGES if page.menu], "span": span}
    made.filters |= {"exact": exact, "seconds": seconds}
    return made


def exact(moment: datetime | None) -> str:
    """`2026-03-03 12:00 UTC`; the browser says it in the reader's zone."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def seconds(value: float) -> str:
    """A length of time with its unit."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def rows(view: BaseModel) -> list[BaseModel] | None:
    """The lines of a view that is a list; None of another."""
    found = getattr(view, "rows", None)
    return list(found) if isinstance(found, list) else None


def as_csv(view: BaseModel, kind: type[BaseModel]) -> str:
    """Its lines below the names of their fields; a field that holds documents is left out. No cell is a formula to a
    spreadsheet."""
    out = io.StringIO()
    names = [name for name, field in kind.model_fields.items() if not _nested(field.annotation)]
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows(view) or []:
        said = row.model_dump(mode="json")
        writer.writerow([_cell(said[name]) for name in names])
    return out.getvalue()


def _nested(annotation: Any) -> bool:
    """Whether a field holds documents, which no cell can."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(map(_nested, get_args(annotation)))


def _cell(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    text = "" if value is None else "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = visible(text).replace("\n", " ")
    return f"'{text}" if text.lstrip().startswith(FORMULA) or text.startswith(FORMULA) else text


__all__ = ["as_csv", "environment", "exact", "rows", "seconds", "shown"]
