"""Keyed tokens: equal values have equal tokens everywhere, and nobody can make or reverse a token without the key."""

import base64
import hmac
import re
import unicodedata

from tasks.sources.protection import CATEGORIES, Category
from tasks.stages.data.protect.placeholders import TOKEN_LENGTH
from tasks.stages.data.protect.recognisers.numbers import email

TOKEN_PATTERN = re.compile(rf"\[((?:{'|'.join(CATEGORIES)}):[a-z2-7]{{{TOKEN_LENGTH}}})\]")
"""Regular expression that matches a placeholder in a protected text and captures its token."""
WORDWISE_CATEGORIES = ("name", "address", "health", "trade_secret", "internal_only", "financial", "credential")
"""Categories whose values are compared word by word. In all other categories except e-mail, only letters and digits
are compared."""
INTERNATIONAL_PREFIX = re.compile(r"[\s(\[]*(?:\+|00)(?=[\s()\[\]]*[1-9])")
"""Regular expression that matches the `+` or `00` before a country code. `+44` and `0044` are equivalent."""
NATIONAL_ZERO = re.compile(r"\(\s*0\s*\)")
"""Regular expression that matches a zero which is dialled only within the country, as in `+44 (0)20`."""
COUNTRY_CODE_LENGTHS = (1, 2, 3)
MIN_PHONE_DIGITS = 7
SPELT_OUT_AT, SPELT_OUT_DOT = re.compile(f"(?i)%40|{email.AT}"), re.compile(f"(?i){email.DOT}")


def make_token(category: Category, value: str, key: bytes) -> str:
    """Return the token of a value, `CATEGORY:xxxxxxxxxxxx`: the HMAC-SHA256 of its category and canonical spelling."""
    return _token_of_spelling(category, canonical_spelling(category, value), key)


def find_tokens(category: Category, value: str, key: bytes) -> list[str]:
    """Return all tokens that a value can have, to search for it.

    They include the token of earlier versions of Hallmark, which left telephone numbers and e-mail addresses as they
    were spelt. A telephone number with its country code can also be spelt as within the country.
    """
    spellings = [canonical_spelling(category, value), _earlier_spelling(category, value)]
    if category == "phone" and INTERNATIONAL_PREFIX.match(unicodedata.normalize("NFKC", value)):
        spellings += [f"0{spellings[0][length:]}" for length in COUNTRY_CODE_LENGTHS]
    return [_token_of_spelling(category, spelling, key) for spelling in dict.fromkeys(spellings)]


def is_national_phone_number(value: str) -> bool:
    """Return whether a value looks like a telephone number without its country code."""
    digits = _letters_and_digits(value)
    return digits.isdecimal() and len(digits) >= MIN_PHONE_DIGITS and digits[0] == "0" and digits[1] != "0"


def _token_of_spelling(category: Category, spelling: str, key: bytes) -> str:
    digest = hmac.digest(key, f"{category}\n{spelling}".encode(), "sha256")
    return f"{category}:{base64.b32encode(digest)[:TOKEN_LENGTH].decode().lower()}"


def canonical_spelling(category: Category, value: str) -> str:
    """Return the spelling by which values of a category are compared: casefolded, with single spaces or none.

    An e-mail address that is spelt out has its signs, and a telephone number with its country code begins with it.
    """
    plain = unicodedata.normalize("NFKC", value).casefold()
    if category == "email":
        plain = SPELT_OUT_DOT.sub(".", SPELT_OUT_AT.sub("@", plain))
    elif category == "phone" and (prefix := INTERNATIONAL_PREFIX.match(plain)):
        plain = NATIONAL_ZERO.sub("", plain[prefix.end() :])
    return _earlier_spelling(category, plain)


def _earlier_spelling(category: Category, value: str) -> str:
    plain = unicodedata.normalize("NFKC", value).casefold()
    if category in WORDWISE_CATEGORIES:
        return " ".join(plain.split())
    if category == "email":
        return "".join(plain.split())
    return _letters_and_digits(plain)


def _letters_and_digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def break_up_tokens(text: str) -> str:
    """Insert a space into everything in a source's text that looks like a token.

    Otherwise a row could contain the token of another value, and the vault would reveal that value.
    """
    return TOKEN_PATTERN.sub(lambda match: f"[{match[1].replace(':', ': ')}]", text) if "[" in text else text
