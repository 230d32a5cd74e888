"""What stands in a protected text in place of a value: `[address]`, `[email:k3v9x2ab7dqm]`, `[birth_date:1815]`."""

import re

from tasks.sources.protection import CATEGORIES

LETTERS = 12
"""Of a token, in base32: 60 bits, so that a million values collide with a chance of one in two million."""
PATTERN = rf"\[({'|'.join(CATEGORIES)})(?::[^\[\]\s]*)?\]"
"""Its group is the class. RE2 knows it too, and case does not matter to it: classes are lower case.

Other words in brackets are the source's own.
"""
PLACEHOLDER = re.compile(PATTERN)
TELLING = re.compile(rf"\[\w+:[a-z0-9]{{{LETTERS}}}\]")
"""One that tells a value from others: with a token."""


def without_values(text: str) -> str:
    """With the class alone of each value: whom a text is about makes it no other text."""
    return PLACEHOLDER.sub(r"[\1]", text) if "[" in text else text


def masks(text: str) -> bool:
    """Whether something stands in it of which nothing tells what it was: a token tells, `[address]` does not, nor does
    `[birth_date:1815]`."""
    return "[" in text and any(not TELLING.fullmatch(match[0]) for match in PLACEHOLDER.finditer(text))
