"""The page docs/guides/python.md: its lines, and what they print."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "python.md"


class Session(NamedTuple):
    code: str
    """All lines of the page, about the tiny project."""
    prints: list[str]
    """The comment behind each `print`, which is what it prints."""


def session() -> Session:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    code = "".join(blocks).replace("support-triage", "tiny")
    return Session(code, re.findall(r"^ *print\(.*\)  # (.+)$", code, re.M))
