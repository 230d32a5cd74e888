"""Marks around values about people, which survive all changes of the text.

A value is between two control characters, after the number of its class. Typing errors change only letters, and the
encoding of the old mail system has both. `taken` removes the marks and returns the values.
"""

import re
from typing import get_args

from tasks.sources.protection import Category

CLASSES: tuple[str, ...] = tuple(sorted(get_args(Category)))
START, END = "\x02", "\x03"
MARKED_VALUE = re.compile(rf"{START}(\d\d)([^{START}{END}]*){END}")

Values = tuple[tuple[str, str], ...]
"""Class and text of each value."""


def mark(category: str, value: str) -> str:
    return f"{START}{CLASSES.index(category):02}{value}{END}"


def unmark(text: str) -> tuple[str, Values]:
    """Return the text without marks, and the values that were marked."""
    values = tuple((CLASSES[int(number)], value) for number, value in MARKED_VALUE.findall(text))
    return MARKED_VALUE.sub(r"\2", text), values
