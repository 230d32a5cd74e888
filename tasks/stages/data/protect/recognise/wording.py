"""Alternatives in patterns, written as lists that can be read."""

import re

APART = re.compile(r",\s+")


def either(words: str) -> str:
    """One of the alternatives, which stand apart by commas; each may be a pattern of its own. The first one wins.

    >>> either("mr, mrs?, herr")
    '(?:mr|mrs?|herr)'
    """
    return f"(?:{'|'.join(APART.split(words.strip()))})"
