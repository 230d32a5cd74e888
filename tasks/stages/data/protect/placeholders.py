"""Placeholders that stand for values in a protected text: `[address]`, `[email:k3v9x2ab7dqm]`, `[birth_date:1815]`."""

import re

from tasks.sources.protection import CATEGORIES

TOKEN_LENGTH = 12
"""Number of base32 letters in a token: 60 bits. The probability of a collision among a million values is one in two
million."""
PLACEHOLDER_PATTERN = rf"\[({'|'.join(CATEGORIES)})(?::[^\[\]\s]*)?\]"
"""Pattern of a placeholder, with the category as its group.

The syntax is also valid in RE2, which PyArrow uses. The pattern also matches casefolded text, because categories are in
lower case. Other words in brackets belong to the source's text.
"""
PLACEHOLDER = re.compile(PLACEHOLDER_PATTERN)
TOKEN_PLACEHOLDER = re.compile(rf"\[\w+:[a-z0-9]{{{TOKEN_LENGTH}}}\]")
"""Pattern of a placeholder with a token, which distinguishes its value from other values."""


def reduce_placeholders(text: str) -> str:
    """Reduce each placeholder of a text to its category.

    Texts that differ only in the people or values that they are about become equal.
    """
    return PLACEHOLDER.sub(r"[\1]", text) if "[" in text else text


def has_masked_value(text: str) -> bool:
    """Return whether the text has a placeholder without a token, such as `[address]` or `[birth_date:1815]`.

    Equal placeholders of that kind may stand for different values.
    """
    return "[" in text and any(not TOKEN_PLACEHOLDER.fullmatch(match[0]) for match in PLACEHOLDER.finditer(text))
