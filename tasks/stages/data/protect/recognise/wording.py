"""Alternatives of a pattern, written as a readable list."""

import re

APART = re.compile(r",\s+")


def either(words: str) -> str:
    """Return a pattern that matches any of the comma-separated alternatives; the first that matches wins.

    Each alternative may itself be a pattern.

    >>> either("mr, mrs?, herr")
    '(?:mr|mrs?|herr)'
    """
    return f"(?:{'|'.join(APART.split(words.strip()))})"
