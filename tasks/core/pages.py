"""Jinja environment for HTML pages. Values are HTML-escaped, and hidden characters are replaced with code points."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tasks.core import formatting
from tasks.core.escaping import escape_hidden

HTML_HEAD = Markup("""\
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">""")
"""First elements in the `<head>` of every page. The content security policy forbids scripts and requests to servers, as
a second protection in case markup in a value was not escaped."""


TEMPLATE_FILTERS = {
    "exact": formatting.format_time, "seconds": formatting.format_duration, "share": formatting.format_share,
    "several": formatting.format_count, "usd": formatting.format_usd,
}  # fmt: skip
STYLE_FOLDER = Path(__file__).parent / "styles"
"""Folder with the style sheets: `colours.css` for every page, and `tables.css` for pages with tables of metrics."""


def template_environment(folder: Path) -> jinja2.Environment:
    """Return the Jinja environment for a folder of templates.

    Templates can use the global `head`. Undefined names raise an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, STYLE_FOLDER]),
        autoescape=True,
        finalize=escape_value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["head"] = HTML_HEAD
    environment.filters |= TEMPLATE_FILTERS
    return environment


def escape_value(value: Any) -> Any:
    """Escape hidden characters in a value that a template inserts. A `Markup` value stays `Markup`."""
    return Markup(escape_hidden(value.__html__())) if hasattr(value, "__html__") else escape_hidden(str(value))
