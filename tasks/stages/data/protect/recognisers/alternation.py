"""Alternatives of a pattern, written as a readable list."""

import re

SEPARATOR = re.compile(r",\s+")


def alternation(words: str) -> str:
    """Return a pattern that matches any of the comma-separated alternatives; the first that matches wins.

    Each alternative may itself be a pattern.

    >>> alternation("mr, mrs?, herr")
    '(?:mr|mrs?|herr)'
    """
    return f"(?:{'|'.join(SEPARATOR.split(words.strip()))})"
