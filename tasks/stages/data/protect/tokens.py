"""Keyed tokens: the same value gives the same token everywhere, and nobody without the key can link or reverse it."""

import base64
import hmac
import re
import unicodedata

from tasks.sources.protection import CATEGORIES, Category
from tasks.stages.data.protect.placeholders import LETTERS

IN_TEXT = re.compile(rf"\[((?:{'|'.join(CATEGORIES)}):[a-z2-7]{{{LETTERS}}})\]")
"""A token as it stands in a protected text."""
SPELLED = ("name", "address", "health", "trade_secret", "internal_only", "financial", "credential")
"""Classes whose words count; of all others only letters and digits do, however they are spaced."""


def token(category: Category, value: str, key: bytes) -> str:
    """HMAC-SHA256 of the value's canonical spelling within its class, as `CLASS:xxxxxxxxxxxx`."""
    digest = hmac.digest(key, f"{category}\n{canonical(category, value)}".encode(), "sha256")
    return f"{category}:{base64.b32encode(digest)[:LETTERS].decode().lower()}"


def canonical(category: Category, value: str) -> str:
    """One spelling for what is the same: caseless, and evenly spaced or not at all."""
    plain = unicodedata.normalize("NFKC", value).casefold()
    if category in SPELLED:
        return " ".join(plain.split())
    if category == "email":
        return "".join(plain.split())
    return "".join(letter for letter in plain if letter.isalnum())


def disarmed(text: str) -> str:
    """A source's text without what looks like a token: else a row could ask the vault for another one's value."""
    return IN_TEXT.sub(lambda match: f"[{match[1].replace(':', ': ')}]", text) if "[" in text else text
