"""Keyed tokens: equal values have equal tokens everywhere, and without the key nobody can make or reverse one."""

import base64
import hmac
import re
import unicodedata

from tasks.sources.protection import CATEGORIES, Category
from tasks.stages.data.protect.placeholders import LETTERS

IN_TEXT = re.compile(rf"\[((?:{'|'.join(CATEGORIES)}):[a-z2-7]{{{LETTERS}}})\]")
"""Placeholder with a token, as it appears in a protected text; its group is the token."""
SPELLED = ("name", "address", "health", "trade_secret", "internal_only", "financial", "credential")
"""Classes of values that are compared word by word. Of all others except e-mail, only letters and digits count."""


def token(category: Category, value: str, key: bytes) -> str:
    """Return the token of a value, `CLASS:xxxxxxxxxxxx`: the HMAC-SHA256 of its class and canonical spelling."""
    digest = hmac.digest(key, f"{category}\n{canonical(category, value)}".encode(), "sha256")
    return f"{category}:{base64.b32encode(digest)[:LETTERS].decode().lower()}"


def canonical(category: Category, value: str) -> str:
    """Return the canonical spelling of a value: casefolded, with single spaces or none."""
    plain = unicodedata.normalize("NFKC", value).casefold()
    if category in SPELLED:
        return " ".join(plain.split())
    if category == "email":
        return "".join(plain.split())
    return "".join(letter for letter in plain if letter.isalnum())


def disarmed(text: str) -> str:
    """Return a source's text with a space put into whatever looks like a token.

    Otherwise a row could contain the token of another value, which the vault would then reveal.
    """
    return IN_TEXT.sub(lambda match: f"[{match[1].replace(':', ': ')}]", text) if "[" in text else text
