"""Reference page of the code: each package with the first paragraph of its docstring."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from infra.docs.markdown import markdown_table

ROOT = Path(__file__).parents[2]
TOP_PACKAGES = ("flows", "tasks", "infra", "hallmark")
MAX_DEPTH = 3
"""Maximum depth of the packages on the page, in folders below the repository root."""
INTRODUCTION = """# Code

Imports point one way: `hallmark` imports `infra`, `infra` imports `flows`, `flows` imports `tasks`. A wheel has all of
them below `hallmark` (`setup.py`); people import [that package](../guides/python.md) alone. Each room has a docstring
that lists its files in reading order. Inside `tasks`, the stages import `core`, `sources` and `trust` only, and nothing
imports Prefect. `tasks/core/graph.py` is the one table of stages and gates; `dvc.yaml` follows from it. `params.yaml`
holds every parameter.
"""


def package_summaries() -> Iterator[tuple[str, str]]:
    """Yield each package down to the maximum depth, with the first paragraph of its docstring.

    If the last sentence of the paragraph ends with a colon, it is omitted, because it introduces a list.
    """
    for top in TOP_PACKAGES:
        for path in sorted((ROOT / top).rglob("__init__.py")):
            folder = path.parent.relative_to(ROOT)
            if len(folder.parts) <= MAX_DEPTH:
                docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
                yield folder.as_posix(), re.sub(r"(?<=[.?]) [^.]*:$", "", " ".join(docstring.split("\n\n")[0].split()))


def render_page() -> str:
    rows = [(f"`{room}/`", text) for room, text in package_summaries()]
    return f"{INTRODUCTION}\n{markdown_table(('room', 'what is in it'), rows)}"
