"""Rendering of views, as HTML with templates and as CSV."""

import csv
import io
from pathlib import Path
from typing import Any

import jinja2
from pydantic import BaseModel

from infra.console import csv_tables
from infra.console.pages import PAGES
from tasks.core.escaping import escape_hidden
from tasks.core.pages import template_environment

TEMPLATES_FOLDER = Path(__file__).parent
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters with which a formula in a spreadsheet begins."""


def make_template_environment() -> jinja2.Environment:
    """Return the template environment, which escapes every value."""
    made = template_environment(TEMPLATES_FOLDER / "templates")
    made.globals["menu"] = [page for page in PAGES if page.menu]
    return made


def render_csv(view: BaseModel, table: str) -> str:
    """Return a table of a view as CSV with a header. No cell begins with one of FORMULA_PREFIXES."""
    out, lines = io.StringIO(), csv_tables.table_rows(view, table)
    names = dict.fromkeys(name for line in lines for name in line) or csv_tables.column_names(type(view), table)
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)  # some spreadsheets split at semicolons
    writer.writerow([_cell(name) for name in names])
    writer.writerows([_cell(line.get(name)) for name in names] for line in lines)
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    text = "" if value is None else "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = escape_hidden(text).replace("\n", " ")
    return f"'{text}" if text.lstrip().startswith(FORMULA_PREFIXES) or text.startswith(FORMULA_PREFIXES) else text
