"""Templates of pages for people: HTML that escapes what is put in, and spells out what would not show in it."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tasks.core.shown import visible


def templates(folder: Path) -> jinja2.Environment:
    """The templates of a folder. A name that nobody gave is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def shown(value: Any) -> Any:
    """What a template puts in, as it may be shown; HTML stays HTML."""
    return Markup(visible(value.__html__())) if hasattr(value, "__html__") else visible(str(value))
