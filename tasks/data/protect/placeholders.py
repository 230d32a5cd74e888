"""What stands in a protected text in place of a value: `[address]`, `[email:k3v9x2ab7dqm]`, `[birth_date:1815]`."""

import re

from tasks.govern.protection import CATEGORIES

PATTERN = rf"\[({'|'.join(CATEGORIES)})(?::[^\[\]\s]*)?\]"
"""Its group is the class. RE2 knows it too, and case does not matter to it: classes are lower case.

Other words in brackets are the source's own.
"""
PLACEHOLDER = re.compile(PATTERN)


def without_values(text: str) -> str:
    """With the class alone of each value: whom a text is about makes it no other text."""
    return PLACEHOLDER.sub(r"[\1]", text) if "[" in text else text
