"""Rendering of views: the templates with their filters, and CSV."""

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from pydantic import BaseModel

from infra.console import csv_tables
from infra.console.pages import PAGES
from tasks.core.escaping import escape
from tasks.core.pages import escape_value, template_environment
from tasks.gates.evidence_text import duration

FOLDER = Path(__file__).parent
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters that begin a formula in a spreadsheet."""


def environment() -> jinja2.Environment:
    """Return the environment of the templates, which escapes every value."""
    made = template_environment(FOLDER / "templates")
    made.globals |= {"menu": [page for page in PAGES if page.menu], "span": duration}
    made.filters |= {"exact": format_time, "seconds": format_duration, "several": format_count, "usd": format_usd}
    return made


def format_time(moment: datetime | None) -> str:
    """Return a time such as `2026-03-03 12:00 UTC`. The browser converts it to the reader's time zone."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def format_duration(value: float) -> str:
    """Return a duration with its unit, such as `2.5 s` or `1 h 05 min`."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def format_count(count: int, one: str, more: str = "") -> str:
    """Return a count with its noun, such as `1 rule` or `1,204 rules`."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def format_usd(value: float) -> str:
    """Return an amount in US dollars, with two significant digits if it is below 0.1."""
    return f"{value:,.2f} USD" if value >= 0.1 else f"{value:.2g} USD"


def as_csv(view: BaseModel, table: str) -> str:
    """Return a table of a view as CSV, with a header. No cell begins with a character of FORMULA."""
    out, lines = io.StringIO(), csv_tables.lines(view, table)
    names = dict.fromkeys(name for line in lines for name in line) or csv_tables.columns(type(view), table)
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)  # some spreadsheets split at semicolons
    writer.writerow([_cell(name) for name in names])
    writer.writerows([_cell(line.get(name)) for name in names] for line in lines)
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    text = "" if value is None else "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = escape(text).replace("\n", " ")
    return f"'{text}" if text.lstrip().startswith(FORMULA_PREFIXES) or text.startswith(FORMULA_PREFIXES) else text


__all__ = ["as_csv", "environment", "escape_value", "format_count", "format_duration", "format_time", "format_usd"]
