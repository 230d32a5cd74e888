"""How random a string looks: what separates a key from a word, a placeholder and a file name."""

import re
from collections import Counter
from math import log2

PLACEHOLDER = re.compile(
    r"(?i)(?:x{4,}|\*{3,}|\.{3,}|<[^>]{1,40}>|\$\{[\w.]+\}|\$(?-i:[A-Z_]{3,})|\{\{.{1,40}\}\}|%\w+%|your[_-]?\w*|my[_-]?(?:key|token|secret|password)|example|changeme|placeholder"
    r"|dummy|sample|insert|redacted|masked|secret|password|passwort|token|none|null|true|false|undefined|hidden|todo|abc123|123456789\d*)$"
)


def bits(text: str) -> float:
    """Shannon entropy in bits a character."""
    n = len(text)
    return -sum(k / n * log2(k / n) for k in Counter(text).values())


def is_placeholder(text: str) -> bool:
    """What documentation writes in a key's place."""
    return bool(PLACEHOLDER.match(text)) or len(set(text)) <= 2 or "EXAMPLE" in text


def is_random(text: str, least: float = 3.0) -> bool:
    """A mix of characters, and no more words in it than chance gives: letters and digits, or both cases in the middle."""
    mixed = (
        bool(re.search(r"\d", text))
        and bool(re.search(r"[A-Za-z]", text))
        or bool(re.search(r"[a-z][A-Z].*[a-z][A-Z]", text))
    )
    return mixed and bits(text) >= least and not is_placeholder(text)
