"""Where in a text something about a person stands, carried through whatever is done to the text on its way.

A value lies between two control characters, its class in digits before it: typing errors change letters only, and the
old mail system's encoding has both. `taken` takes the marks out again and says what stood between them.
"""

import re
from typing import get_args

from tasks.sources.protection import Category

CLASSES: tuple[str, ...] = tuple(sorted(get_args(Category)))
START, END = "\x02", "\x03"
MARKED = re.compile(rf"{START}(\d\d)([^{START}{END}]*){END}")

Values = tuple[tuple[str, str], ...]
"""Class and value of each."""


def marked(category: str, value: str) -> str:
    """Raises ValueError for what is no class of protected text."""
    return f"{START}{CLASSES.index(category):02}{value}{END}"


def taken(text: str) -> tuple[str, Values]:
    """The text without marks, and the values that were marked."""
    values = tuple((CLASSES[int(number)], value) for number, value in MARKED.findall(text))
    return MARKED.sub(r"\2", text), values
