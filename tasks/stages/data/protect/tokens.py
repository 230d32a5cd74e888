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
MIN_PHONE_DIGITS, MAX_PHONE_DIGITS = 7, 15
EMAIL_AT, EMAIL_DOT = re.compile(f"%40|{email.AT}"), re.compile(email.DOT)
"""Regular expressions that match the signs of an e-mail address in a case-folded text, also where they are words."""


def make_token(category: Category, value: str, key: bytes) -> str:
    """Return the token of a value, `CATEGORY:xxxxxxxxxxxx`: the HMAC-SHA256 of its category and canonical spelling."""
    return _token_of_spelling(category, canonical_spelling(category, value), key)


def is_token_of(token: str, category: Category, value: str, key: bytes) -> bool:
    """Return whether a token is that of a value, or the one that earlier versions of Hallmark made."""
    spellings = canonical_spelling(category, value), _normalise(category, value)
    return any(token == _token_of_spelling(category, spelling, key) for spelling in spellings)


def make_search_tokens(category: Category, value: str, key: bytes) -> list[str]:
    """Return all tokens that a value may have in datasets, for a search.

    A telephone number with its country code may be written without it. Earlier versions of Hallmark gave each spelling
    of a telephone number or e-mail address its own token.
    """
    spellings = [canonical_spelling(category, value), _normalise(category, value)]
    if category == "phone" and INTERNATIONAL_PREFIX.match(unicodedata.normalize("NFKC", value)):
        number = spellings[0]
        spellings.append(f"00{number}")
        for length in COUNTRY_CODE_LENGTHS:
            code, rest = number[:length], number[length:]
            # 20 …, as where no zero is dialled, 020 …, +44 (0)20 …, 0044 (0)20 …
            spellings += [rest, f"0{rest}", f"{code}0{rest}", f"00{code}0{rest}"]
    return [_token_of_spelling(category, spelling, key) for spelling in dict.fromkeys(spellings)]


def is_national_phone_number(value: str) -> bool:
    """Return whether a value looks like a telephone number without its country code."""
    digits = _letters_and_digits(value)
    plain = unicodedata.normalize("NFKC", value)
    is_long_enough = MIN_PHONE_DIGITS <= len(digits) <= MAX_PHONE_DIGITS
    return digits.isdecimal() and is_long_enough and not INTERNATIONAL_PREFIX.match(plain)


def _token_of_spelling(category: Category, spelling: str, key: bytes) -> str:
    digest = hmac.digest(key, f"{category}\n{spelling}".encode(), "sha256")
    return f"{category}:{base64.b32encode(digest)[:TOKEN_LENGTH].decode().lower()}"


def canonical_spelling(category: Category, value: str) -> str:
    """Return the form in which values of a category are compared: case-folded, with single spaces or without spaces.

    Words such as "at" and "dot" in an e-mail address are replaced by their signs. A telephone number with a country
    code is reduced to its digits, without "+", "00" and "(0)".
    """
    plain = unicodedata.normalize("NFKC", value).casefold()
    if category == "email":
        plain = EMAIL_DOT.sub(".", EMAIL_AT.sub("@", plain))
    elif category == "phone" and (prefix := INTERNATIONAL_PREFIX.match(plain)):
        plain = NATIONAL_ZERO.sub("", plain[prefix.end() :])
    return _normalise(category, plain)


def _normalise(category: Category, value: str) -> str:
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
