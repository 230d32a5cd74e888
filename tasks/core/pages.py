"""Templates of pages for people: HTML that escapes what is put in, and spells out what would not show in it."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tasks.core.shown import visible

HEAD = Markup("""\
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">""")
"""How every page begins: whatever a text brings, a browser runs nothing and asks no other place for anything."""


STYLES = Path(__file__).parent / "styles"
"""`colours.css`, which every page includes, and `tables.css`, for pages with tables of figures."""


def templates(folder: Path) -> jinja2.Environment:
    """The templates of a folder, each with `head`. A name that nobody gave is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, STYLES]),
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["head"] = HEAD
    return environment


def shown(value: Any) -> Any:
    """What a template puts in, as it may be shown; HTML stays HTML."""
    return Markup(visible(value.__html__())) if hasattr(value, "__html__") else visible(str(value))
