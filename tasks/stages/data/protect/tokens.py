"""Keyed tokens: equal values have equal tokens everywhere, and nobody can make or reverse a token without the key."""

import base64
import hmac
import re
import unicodedata

from tasks.sources.protection import CATEGORIES, Category
from tasks.stages.data.protect.placeholders import TOKEN_LENGTH

TOKEN_PATTERN = re.compile(rf"\[((?:{'|'.join(CATEGORIES)}):[a-z2-7]{{{TOKEN_LENGTH}}})\]")
"""Regular expression that matches a placeholder in a protected text and captures its token."""
WORDWISE_CATEGORIES = ("name", "address", "health", "trade_secret", "internal_only", "financial", "credential")
"""Categories whose values are compared word by word. In all other categories except e-mail, only letters and digits
are compared."""


def make_token(category: Category, value: str, key: bytes) -> str:
    """Return the token of a value, `CATEGORY:xxxxxxxxxxxx`: the HMAC-SHA256 of its category and canonical spelling."""
    digest = hmac.digest(key, f"{category}\n{canonical_spelling(category, value)}".encode(), "sha256")
    return f"{category}:{base64.b32encode(digest)[:TOKEN_LENGTH].decode().lower()}"


def canonical_spelling(category: Category, value: str) -> str:
    """Return the spelling by which values of a category are compared: casefolded, with single spaces or none."""
    plain = unicodedata.normalize("NFKC", value).casefold()
    if category in WORDWISE_CATEGORIES:
        return " ".join(plain.split())
    if category == "email":
        return "".join(plain.split())
    return "".join(letter for letter in plain if letter.isalnum())


def break_up_tokens(text: str) -> str:
    """Insert a space into everything in a source's text that looks like a token.

    Otherwise a row could contain the token of another value, and the vault would reveal that value.
    """
    return TOKEN_PATTERN.sub(lambda match: f"[{match[1].replace(':', ': ')}]", text) if "[" in text else text
